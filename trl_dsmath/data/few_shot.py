r"""Worked examples for base models, in our own words, as many a benchmark as the paper's harness shows.

The published examples belong to other papers; these are new ones of the same length and kind, so a figure measured with
them is not exactly of the published protocol. No number here is from a benchmark.

Counts: GSM8K 8, MATH 4, SAT 4, MMLU-STEM 4, CMATH 6, GaoKao MathCloze 5, GaoKao MathQA 5. OCW has 4, as the harness names
its file; the file itself holds 8. GSM8K and MATH have a program beside each solution.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    r"""A solved problem.

    Attributes:
        question (`str`):
            The question, with its options below it for multiple choice.
        solution (`str`):
            The reasoning, without the closing sentence.
        answer (`str`, *optional*):
            What the closing sentence names. Without one the solution is shown as it is.
        program (`str`, *optional*):
            A Python program that prints the answer.
    """

    question: str
    solution: str
    answer: str = ""
    program: str | None = None


GSM8K = (
    Example(
        "A baker fills 6 trays with 12 rolls each and drops 5 rolls on the floor. How many rolls can she sell?",
        "She bakes 6 * 12 = 72 rolls. Without the 5 on the floor, 72 - 5 = 67 rolls are left.",
        "67",
        "baked = 6 * 12\nsellable = baked - 5\nprint(sellable)",
    ),
    Example(
        "Omar reads 18 pages each evening from Monday to Friday and 40 pages on each day of the weekend. "
        "How many pages does he read in a week?",
        "From Monday to Friday he reads 5 * 18 = 90 pages. On the weekend he reads 2 * 40 = 80 pages. "
        "Together that is 90 + 80 = 170 pages.",
        "170",
        "workdays = 5 * 18\nweekend = 2 * 40\nprint(workdays + weekend)",
    ),
    Example(
        "A bicycle costs $240. Lena has saved a third of that and earns $20 a week. "
        "For how many weeks must she work until she can pay for it?",
        "She has 240 / 3 = 80 dollars. She still needs 240 - 80 = 160 dollars. At 20 dollars a week this takes "
        "160 / 20 = 8 weeks.",
        "8",
        "price = 240\nsaved = price // 3\nmissing = price - saved\nprint(missing // 20)",
    ),
    Example(
        "There are 45 parrots in a park. A quarter of an hour later 17 have flown off and 9 others have landed. "
        "How many parrots are in the park now?",
        "After 17 have left there are 45 - 17 = 28. With the 9 that landed there are 28 + 9 = 37.",
        "37",
        "parrots = 45\nparrots -= 17\nparrots += 9\nprint(parrots)",
    ),
    Example(
        "A pump moves 15 litres a minute into a pool, and a leak lets out 3 litres a minute. "
        "How many minutes does it take to fill the empty pool of 600 litres?",
        "Each minute the pool gains 15 - 3 = 12 litres. It is full after 600 / 12 = 50 minutes.",
        "50",
        "gain = 15 - 3\nprint(600 // gain)",
    ),
    Example(
        "Ravi is 4 years older than twice the age of his sister. She is 7. How old will Ravi be in 10 years?",
        "Twice the age of his sister is 2 * 7 = 14, so Ravi is 14 + 4 = 18. In 10 years he will be 18 + 10 = 28.",
        "28",
        "sister = 7\nravi = 2 * sister + 4\nprint(ravi + 10)",
    ),
    Example(
        "A jacket of $80 is sold at 25% off, and the cashier adds $6 for a repair kit. What does the customer pay?",
        "25% of 80 is 0.25 * 80 = 20, so the jacket costs 80 - 20 = 60 dollars. With the kit it is 60 + 6 = 66 dollars.",
        "66",
        "jacket = 80 - 80 * 25 // 100\nprint(jacket + 6)",
    ),
    Example(
        "In a choir, 3 of every 5 singers are women. The choir has 35 singers. How many more women than men sing in it?",
        "There are 35 / 5 = 7 groups of five singers. So 7 * 3 = 21 are women and 35 - 21 = 14 are men. "
        "The difference is 21 - 14 = 7.",
        "7",
        "women = 35 // 5 * 3\nmen = 35 - women\nprint(women - men)",
    ),
)

MATH = (
    Example(
        "For which values of $x$ is $\\sqrt{7-2x}$ a real number? Write the answer as an interval.",
        "The square root is real exactly when $7-2x \\ge 0$, that is $2x \\le 7$ and so $x \\le \\frac{7}{2}$. "
        "There is no lower bound.",
        "$\\left(-\\infty,\\frac{7}{2}\\right]$",
        "from sympy import S, latex, solveset, symbols\n"
        'x = symbols("x", real=True)\nprint(latex(solveset(7 - 2 * x >= 0, x, S.Reals)))',
    ),
    Example(
        "The matrices $M$ and $N$ are square of size 3, with $\\det M = 5$ and $\\det N = -2$. Find $\\det(2MN)$.",
        "The determinant of a product is the product of the determinants, and a factor 2 comes out once for each of the 3 "
        "rows. So $\\det(2MN) = 2^3 \\cdot 5 \\cdot (-2) = 8 \\cdot (-10) = -80$.",
        "$-80$",
        "det_m, det_n, size = 5, -2, 3\nprint(2**size * det_m * det_n)",
    ),
    Example(
        "Two numbers have the sum 10 and the product 22. What is the sum of their reciprocals?",
        "Call them $a$ and $b$. Then $\\frac{1}{a}+\\frac{1}{b} = \\frac{a+b}{ab} = \\frac{10}{22} = \\frac{5}{11}$.",
        "$\\frac{5}{11}$",
        "from sympy import Rational, latex\ntotal, product = 10, 22\nprint(latex(Rational(total, product)))",
    ),
    Example(
        "A fair die is thrown three times. What is the probability that no two throws show the same number?",
        "The first throw is free, the second must differ from it with probability $\\frac{5}{6}$, and the third from both "
        "with probability $\\frac{4}{6}$. The product is $\\frac{5}{6} \\cdot \\frac{4}{6} = \\frac{20}{36} = \\frac{5}{9}$.",
        "$\\frac{5}{9}$",
        "from sympy import Rational, latex\nprint(latex(Rational(6 * 5 * 4, 6**3)))",
    ),
)

OCW = (
    Example(
        "A ball is dropped from rest at a height of 20 m above the ground. Neglect the drag of the air and take "
        "$g = 10 \\mathrm{~m/s^2}$. With what speed, in metres per second, does it reach the ground?",
        "The potential energy becomes kinetic energy: $m g h = \\frac{1}{2} m v^2$. So "
        "$v = \\sqrt{2 g h} = \\sqrt{2 \\cdot 10 \\cdot 20} = \\sqrt{400} = 20$ metres per second.",
        "20",
    ),
    Example(
        "A quantity obeys $\\dot{N} = -k N$ with $N(0) = N_0$. Give $N(t)$ in terms of $N_0$, $k$ and $t$.",
        "Separating the variables gives $\\frac{dN}{N} = -k\\,dt$, hence $\\ln N = -k t + C$. The value at $t = 0$ fixes "
        "$C = \\ln N_0$.",
        "$N(t) = N_{0} e^{-k t}$",
    ),
    Example(
        "Light of wavelength 500 nm falls on a metal. What is the energy of one photon in electron volts, to two "
        "significant figures? Use $h c = 1240 \\mathrm{~eV~nm}$.",
        "The energy of a photon is $E = \\frac{h c}{\\lambda} = \\frac{1240}{500} = 2.48$, which rounds to 2.5.",
        "2.5",
    ),
    Example(
        "Find the Laplace transform of $f(t) = 3 e^{-2t}$ for $t \\ge 0$.",
        "By definition $F(s) = \\int_0^\\infty 3 e^{-2t} e^{-st}\\,dt = 3 \\int_0^\\infty e^{-(s+2)t}\\,dt$, and the "
        "integral is $\\frac{1}{s+2}$ for $s > -2$.",
        "$\\frac{3}{s+2}$",
    ),
)

SAT = (
    Example(
        "If $4n - 9 = 15$, what is the value of $2n$?\nA) 3 B) 6 C) 12 D) 24",
        "Adding 9 gives $4n = 24$. Half of both sides is $2n = 12$.",
        "(C)",
    ),
    Example(
        "A line in the $xy$-plane passes through $(0,5)$ and $(2,1)$. What is its slope?\n"
        "A) $-2$ B) $-\\frac{1}{2}$ C) $\\frac{1}{2}$ D) $2$",
        "The slope is the change of $y$ over the change of $x$: $\\frac{1-5}{2-0} = \\frac{-4}{2} = -2$.",
        "(A)",
    ),
    Example(
        "A gym charges $30 to join and $18 a month. Which function gives the total cost $c$ in dollars of $m$ months?\n"
        "A) $c = 30m + 18$ B) $c = 48m$ C) $c = 48 + m$ D) $c = 18m + 30$",
        "The fee of 30 dollars is paid once, and 18 dollars for each of the $m$ months. So $c = 18m + 30$.",
        "(D)",
    ),
    Example(
        "What is the positive solution of $x^2 - 3x - 10 = 0$?\nA) 2 B) 5 C) 7 D) 10",
        "The left side is $(x-5)(x+2)$, which is zero at $x = 5$ and at $x = -2$. The positive one is 5.",
        "(B)",
    ),
)

MMLU_STEM = (
    Example(
        "A cyclist rides 12 km in 40 minutes. What is the average speed?\n(A) 12 km/h\n(B) 15 km/h\n(C) 18 km/h\n(D) 30 km/h",
        "40 minutes are two thirds of an hour. The speed is 12 divided by 2/3, which is 18 km/h.",
        "(C)",
    ),
    Example(
        "Which of these particles carries no electric charge?\n(A) Proton\n(B) Electron\n(C) Positron\n(D) Neutron",
        "The proton and the positron are positive, the electron is negative. The neutron is neutral.",
        "(D)",
    ),
    Example(
        "How many comparisons does binary search need at most to find an entry of a sorted list of 1000 entries?\n"
        "(A) 10\n(B) 32\n(C) 500\n(D) 1000",
        "Each comparison halves the part that is left. As 2^10 = 1024 exceeds 1000, 10 comparisons are enough.",
        "(A)",
    ),
    Example(
        "What is the pH of a 0.001 mol/L solution of a strong monoprotic acid?\n(A) 1\n(B) 3\n(C) 7\n(D) 11",
        "A strong acid is fully dissociated, so the concentration of hydrogen ions is 10^-3 mol/L and the pH is 3.",
        "(B)",
    ),
)

CMATH = (
    Example(
        "果园里有梨树24棵，苹果树比梨树多8棵，苹果树有多少棵？",
        "苹果树比梨树多8棵，所以苹果树有24+8=32棵。",
        "32",
    ),
    Example(
        "每个书架放45本书，6个这样的书架一共放多少本书？",
        "每个书架45本，6个书架一共45×6=270本。",
        "270",
    ),
    Example(
        "一根绳子长36米，剪去四分之一，还剩多少米？",
        "剪去的长度是36÷4=9米，还剩36-9=27米。",
        "27",
    ),
    Example(
        "小军买了3支铅笔，每支1.5元，付了10元，应找回多少元？",
        "3支铅笔共1.5×3=4.5元，应找回10-4.5=5.5元。",
        "5.5",
    ),
    Example(
        "一辆汽车3小时行驶210千米，照这样的速度，7小时能行驶多少千米？",
        "汽车每小时行驶210÷3=70千米，7小时行驶70×7=490千米。",
        "490",
    ),
    Example(
        "一块长方形木板长12厘米，宽正好是长的一半，这块木板的面积有多大（平方厘米）？",
        "宽是12÷2=6厘米，所以木板的面积为12×6=72平方厘米。",
        "72",
    ),
)

GAOKAO_MATHCLOZE = (
    Example(
        "已知等差数列的首项为 $3$, 公差为 $4$, 则它的第 $10$ 项为 $(\\quad)$",
        "第 $n$ 项为 $3+4(n-1)$，取 $n=10$，得 $3+36=39$。",
        "$39$",
    ),
    Example(
        "函数 $f(x)=\\ln(5-x)$ 的定义域为 $(\\quad)$",
        "真数必须为正，即 $5-x>0$，所以 $x<5$。",
        "$(-\\infty,5)$",
    ),
    Example(
        "设圆 $x^{2}+y^{2}-2x+4y=4$ 的半径为 $r$, 圆心到原点的距离为 $d$, 则 $r=(\\quad)$, $d=(\\quad)$",
        "配方得 $(x-1)^{2}+(y+2)^{2}=9$，所以 $r=3$，圆心为 $(1,-2)$，$d=\\sqrt{1+4}=\\sqrt{5}$。",
        "$3$;$\\sqrt{5}$",
    ),
    Example(
        "从 $5$ 名男生和 $2$ 名女生中任选 $2$ 人, 恰好选到 $1$ 名女生的概率为 $(\\quad)$",
        "共有 $C_{7}^{2}=21$ 种选法，恰有 $1$ 名女生的有 $5 \\times 2=10$ 种，概率为 $\\frac{10}{21}$。",
        "$\\frac{10}{21}$",
    ),
    Example(
        "若向量 $\\vec{a}=(2,t)$ 与 $\\vec{b}=(6,-4)$ 垂直, 则 $t=(\\quad)$",
        "垂直时数量积为零，即 $12-4t=0$，所以 $t=3$。",
        "$3$",
    ),
)

GAOKAO_MATHQA = (
    Example(
        "已知集合 $P=\\{x \\mid x^{2}<9\\}, Q=\\{0,2,4\\}$, 则 $P \\cap Q$ 中元素的个数为\n(A)$0$\n(B)$1$\n(C)$2$\n(D)$3$",
        "由 $x^{2}<9$ 得 $-3<x<3$，集合 $Q$ 中满足条件的元素是 $0$ 和 $2$，共 $2$ 个。",
        "C",
    ),
    Example(
        "复数 $z=\\frac{2}{1-i}$ 的模为\n(A)$1$\n(B)$\\sqrt{2}$\n(C)$2$\n(D)$2\\sqrt{2}$",
        "化简得 $z=\\frac{2(1+i)}{2}=1+i$，它的模为 $\\sqrt{1+1}=\\sqrt{2}$。",
        "B",
    ),
    Example(
        "双曲线 $\\frac{x^{2}}{9}-\\frac{y^{2}}{16}=1$ 的离心率为"
        "\n(A)$\\frac{4}{3}$\n(B)$\\frac{5}{4}$\n(C)$\\frac{3}{5}$\n(D)$\\frac{5}{3}$",
        "这里 $a=3, b=4$，所以 $c=\\sqrt{9+16}=5$，离心率为 $\\frac{c}{a}=\\frac{5}{3}$。",
        "D",
    ),
    Example(
        "等比数列 $\\{a_n\\}$ 中 $a_1=2, a_4=54$, 则公比为\n(A)$3$\n(B)$9$\n(C)$27$\n(D)$\\sqrt{3}$",
        "由 $a_4=a_1 q^{3}$ 得 $q^{3}=27$，所以 $q=3$。",
        "A",
    ),
    Example(
        "曲线 $y=x^{3}-x$ 在点 $(1,0)$ 处切线的斜率为\n(A)$0$\n(B)$1$\n(C)$2$\n(D)$3$",
        "导数为 $y'=3x^{2}-1$，在 $x=1$ 处的值为 $3-1=2$。",
        "C",
    ),
)

EXAMPLES: dict[str, tuple[Example, ...]] = {
    "gsm8k": GSM8K,
    "math": MATH,
    "ocw": OCW,
    "sat": SAT,
    "mmlu_stem": MMLU_STEM,
    "cmath": CMATH,
    "gaokao_mathcloze": GAOKAO_MATHCLOZE,
    "gaokao_mathqa": GAOKAO_MATHQA,
}
