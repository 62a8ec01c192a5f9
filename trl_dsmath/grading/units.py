"""Units that an answer may carry. A unit on one side only is ignored; two units must agree, or convert exactly."""

import re
from fractions import Fraction

# dimension -> unit names -> size in the first unit of the dimension
_TABLE: dict[str, dict[str, Fraction | int]] = {
    "length": {
        "m meter meters metre metres 米": 1, "km kilometer kilometers kilometre kilometres 千米 公里": 1000,
        "dm decimeter decimeters 分米": Fraction(1, 10), "cm centimeter centimeters centimetre centimetres 厘米": Fraction(1, 100),
        "mm millimeter millimeters millimetre 毫米": Fraction(1, 1000), "nm nanometers": Fraction(1, 10**9),
        "in inch inches": Fraction(254, 10_000), "ft foot feet": Fraction(3048, 10_000), "yd yard yards": Fraction(9144, 10_000),
        "mi mile miles": Fraction(1_609_344, 1000),
    },
    "mass": {
        "g gram grams 克": 1, "kg kilogram kilograms 千克 公斤": 1000, "mg milligram milligrams 毫克": Fraction(1, 1000),
        "t ton tons tonne tonnes 吨": 10**6, "lb lbs pound pounds": Fraction(45_359_237, 100_000), "oz ounce ounces": Fraction(45_359_237, 1_600_000),
    },
    "time": {
        "s sec secs second seconds 秒": 1, "min mins minute minutes 分钟 分": 60, "h hr hrs hour hours 小时 时": 3600,
        "day days 天": 86400, "week weeks 周 星期": 604800, "ms millisecond milliseconds": Fraction(1, 1000),
    },
    "month": {"month months 个月": 1, "year years yr yrs 年": 12},
    "volume": {
        "l liter liters litre litres 升": 1, "ml milliliter milliliters 毫升": Fraction(1, 1000),
    },
    "angle": {"degree degrees circ deg 度": 1},
    "temperature c": {"°c celsius 摄氏度": 1}, "temperature f": {"°f fahrenheit": 1}, "temperature k": {"k kelvin kelvins": 1},
    "dollar": {"dollar dollars usd": 1, "cent cents": Fraction(1, 100)},
    "yuan": {"元 yuan rmb": 1, "角": Fraction(1, 10)},
    "euro": {"euro euros eur": 1},
    "clock a.m.": {"am a.m": 1}, "clock p.m.": {"pm p.m": 1},
    "force": {"n newton newtons": 1}, "energy": {"j joule joules": 1, "kj kilojoule kilojoules": 1000, "ev": Fraction(1602176634, 10**28)},
    "power": {"w watt watts": 1, "kw kilowatt kilowatts": 1000}, "voltage": {"v volt volts": 1}, "frequency": {"hz hertz": 1},
    "pressure": {"pa pascal pascals": 1, "kpa": 1000}, "amount": {"mol mole moles": 1},
}  # fmt: skip
UNITS: dict[str, tuple[str, Fraction]] = {
    name: (dimension, Fraction(size))
    for dimension, rows in _TABLE.items()
    for names, size in rows.items()
    for name in names.split()
}
SHORT = {"mph": "mi/h", "kph": "km/h", "kmh": "km/h", "fps": "ft/s", "mps": "m/s"}
_POWER = re.compile(r"\^?\{?(-?\d)\}?$")
_SQUARE = re.compile(r"(?:\bsq(?:uare)?\b\.?|平方)\s*(\S+)")
_CUBIC = re.compile(r"(?:\bcu(?:bic)?\b\.?|立方)\s*(\S+)")


def resolve(unit: str) -> tuple[tuple[tuple[str, int], ...], Fraction] | None:
    """Dimension (as sorted `(name, power)` pairs) and size of a unit such as `cm^2`, `m/s`, `square feet`, `平方米`.

    Returns:
        The pair, or `None` for words that are no unit of measure (`apples`, `个`).
    """
    total: dict[str, int] = {}
    size = Fraction(1)
    name = unit.lower().strip(" .{}\\")
    for index, factors in enumerate(re.split(r"\s*/\s*|\s+per\s+|(?<=[元米克])每", SHORT.get(name, name))):
        for part in _SQUARE.sub(r"\1^2", _CUBIC.sub(r"\1^3", factors)).split():
            part = part.strip(" .{}\\")
            power = -1 if index else 1
            if found := _POWER.search(part):
                part, power = part[: found.start()], power * int(found[1])
            if part not in UNITS:
                return None
            dimension, one = UNITS[part]
            total[dimension] = total.get(dimension, 0) + power
            size *= one**power
    return (tuple(sorted(total.items())), size) if total else None
