"""`dsmath plan`: does a recipe fit on the hardware, and what to change where it does not."""

import argparse
import json
import runpy
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import ConfigError, did_you_mean
from ..scripts.recipes import read_recipe, recipe_script, recipes_folder

_STAGES = ("pretrain", "sft", "prm", "grpo", "annotate", "solve", "evaluate", "rft", "iterate", "corpus")
_SECTIONS = ("grpo", "annotate", "prm")  # the stages of `iterate`
_GIB = 2**30


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="dsmath plan",
        description="Forecast the memory of a run from its settings, part by part, on the meta device; with --probe its "
        "time too. Any other --key value goes to the stage and overrides the recipe. Exit code 1 when it does not fit. See "
        "docs/guides/plan.md.",
        allow_abbrev=False,
    )
    parser.add_argument("--recipe", required=True, help="STAGE/NAME of a recipe (grpo/paper), or a file with --stage")
    parser.add_argument("--stage", choices=_STAGES, help="what the file is for")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs, one process each (default: %(default)s)")
    parser.add_argument("--memory", type=float, required=True, help="GiB of a GPU: 24, 80 ...")
    parser.add_argument("--accelerate_config", help="zero3, fsdp2, multi_gpu (default: the recipe's, or zero3)")
    parser.add_argument("--prompt_tokens", type=int, default=200, help="longest prompt (default: %(default)s)")
    parser.add_argument("--model_config", type=Path, help="config.json of the model, where the hub cannot be reached")
    parser.add_argument("--scorer", help="shape of the reward model: a name or a folder")
    parser.add_argument(
        "--probe", action="store_true", help="time an update: runs a few layers here, some ten seconds"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def find_recipe(recipe: str, stage: str | None) -> tuple[str, Path]:
    """The stage of a recipe, and its file.

    Raises:
        ConfigError: there is no such recipe, or a file without its stage.
    """
    given = Path(recipe)
    if given.is_file():
        stage = stage or (given.resolve().parent.name if given.resolve().parent.name in _STAGES else None)
        if stage is None:
            raise ConfigError(f"--recipe {recipe}: what is it for? Give --stage ({', '.join(_STAGES)}).")
        return stage, given
    files = {f"{file.parent.name}/{file.stem}": file for file in recipes_folder().glob("*/*.yaml")}
    recipes = {name: file for name, file in sorted(files.items()) if name.split("/")[0] in _STAGES}
    name = recipe if stage is None else f"{stage}/{recipe}"
    if name in recipes:
        return name.split("/")[0], recipes[name]
    hint = did_you_mean(name, recipes, most=3, cutoff=0.7)
    ours = [known for known in recipes if known.split("/")[0] == name.split("/")[0]]
    usage = f"Give STAGE/NAME ({', '.join(_STAGES)}), or a file with --stage."
    listed = f"The recipes of this stage are: {', '.join(ours)}." if ours else usage
    raise ConfigError(f"--recipe {recipe}: no such recipe or file.{hint} {listed}")


def _stage_parser(stage: str, names: set[str]) -> argparse.ArgumentParser:
    """The parser of a stage's recipe script, which says what its settings are."""
    from ..scripts import ScriptParser

    script = runpy.run_path(str(recipe_script(stage)))
    by_step = "STEP_ARGUMENTS" in script and bool({"step_scorer", "step_reward_funcs"} & names)
    return ScriptParser(script["STEP_ARGUMENTS" if by_step else "ARGUMENTS"])


def settings_of(stage: str, given: dict[str, Any], flags: list[str], file: Path) -> dict[str, Any]:
    """All settings of a stage: its defaults, a recipe's, and flags, in this order.

    Raises:
        ConfigError: a key that the stage does not know.
    """
    from ..scripts.parser import overridden, refuse_unknown

    given = overridden(given, flags)
    words = [word.split("=")[0] for word in flags]
    parser = _stage_parser(stage, {*given, *(word.lstrip("-") for word in words)})
    defaults: dict[str, Any] = {}
    for action in parser._actions:
        defaults.setdefault(action.dest, action.default)  # of a flag and its `--no_` twin, the first is the setting
        action.required = False
    namespace, rest = parser.parse_known_args(flags)
    unknown = {key: value for key, value in given.items() if key not in defaults and key != "env"}
    refuse_unknown(rest, unknown, set(defaults), file)
    named = {action.dest for action in parser._actions if set(words) & set(action.option_strings)}
    found = {**defaults, **given, **{key: value for key, value in vars(namespace).items() if key in named}}
    for key in ("model_name_or_path", "step_scorer"):
        if named_models := found.get(key):
            several = isinstance(named_models, list)
            found[key] = [*map(_origin, named_models)] if several else _origin(named_models)
    return found


def _origin(name: str) -> str:
    """The model of which a recipe makes this folder, where no run has made it yet: they have one shape."""
    for file in [] if Path(name).exists() else recipes_folder().glob("*/*.yaml"):
        recipe = read_recipe(file)
        if recipe.get("output_dir") == name.removesuffix("-merged") and "model_name_or_path" in recipe:
            return _origin(recipe["model_name_or_path"])
    return name


def runs_of(stage: str, file: Path, flags: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """The stages that a recipe starts, with their settings: one, or the three of `iterate`.

    Raises:
        ConfigError: a key that the stage does not know.
    """
    given = read_recipe(file)
    if stage != "iterate":
        return [(stage, settings_of(stage, given, flags, file))]
    from ..iterate import IterateConfig

    known = {field.name for field in fields(IterateConfig)}
    if unknown := sorted(set(given) - known):
        raise ConfigError(f"Unknown key in {file}: {unknown[0]}.{did_you_mean(unknown[0], sorted(known))}")
    sections = _section_flags(flags)
    policy, prm = given.get("model_name_or_path"), given.get("prm_name_or_path")
    own: dict[str, dict[str, Any]] = {
        "grpo": {"model_name_or_path": policy, "step_scorer": [prm]},
        "annotate": {"model_name_or_path": policy},
        "prm": {"model_name_or_path": prm},
    }
    return [
        (name, settings_of(name, {**(given.get(name) or {}), **own[name]}, sections[name], file)) for name in _SECTIONS
    ]


def _section_flags(flags: list[str]) -> dict[str, list[str]]:
    """The flags of each section of `iterate`: `--grpo.max_steps 5` is `--max_steps 5` of grpo.

    Raises:
        ConfigError: a flag of no section.
    """
    found: dict[str, list[str]] = {name: [] for name in _SECTIONS}
    section = None
    for word in flags:
        if word.startswith("--"):
            section, dot, key = word[2:].partition(".")
            if not dot or section not in found:
                raise ConfigError(f"{word}: the sections take --grpo.key value and its like.")
            word = f"--{key}"
        if section is None:
            raise ConfigError(f"What does {word!r} belong to? The sections take --grpo.key value and its like.")
        found[section].append(word)
    return found


def _corpus(settings: dict[str, Any], memory: float) -> dict[str, Any]:
    """The corpus loop runs on CPUs: its classifier's table of vectors, in the machine's memory."""
    from ..corpus.classifier import BUCKET

    rows = settings["bucket"] or BUCKET
    size = 4 * settings["dim"] * rows / _GIB
    how = f"{rows:,} rows of {settings['dim']} numbers; one copy for all processes"
    return {
        "stage": "corpus",
        "parts": [{"part": "classifier", "gib": size, "when": "always", "how": how, "ppo_only": False}],
        "ppo": None,
        "peak_gib": size,
        "fits": size <= memory,
        "memory_gib": memory,
        "gpus": 0,
        "notes": ["On CPUs. Words that occur min_count times or more, and pages being read, come on top."],
        "advice": [],
    }


def plan_of(
    stage: str, settings: dict[str, Any], args: argparse.Namespace, absent: str | None = None
) -> dict[str, Any]:
    """The forecast of a stage, ready to be printed. `absent`: the shape of a model that an earlier stage makes."""
    if stage == "corpus":
        return _corpus(settings, args.memory)
    from ..plan import Hardware, advise, forecast, probe, read_run, work

    hardware = Hardware(
        args.gpus, args.memory, args.accelerate_config, args.prompt_tokens, args.model_config, args.scorer, absent
    )
    what, assumed = read_run(stage, settings, hardware)
    found = forecast(what)
    plan: dict[str, Any] = {
        "stage": stage,
        "model": what.model.name,
        "parameters": what.model.parameters,
        "gpus": what.gpus,
        "memory_gib": what.memory,
        "sharding": what.sharding,
        "accumulation": what.accumulation,
        "parts": [
            {"part": p.name, "gib": p.bytes / _GIB, "when": p.when, "how": p.how, "ppo_only": p.ppo_only}
            for p in found.parts
        ],
        "peak_gib": found.peak() / _GIB,
        "allocated_gib": found.allocated() / _GIB,
        "fits": found.fits(),
        "notes": [*assumed, *found.notes],
        "advice": [] if found.fits() else advise(what),
        "ppo": None,
    }
    computed = work(what)
    plan["work"] = {"trained": computed.trained, "sampled": computed.sampled, "tflop": computed.flops / 1e12}
    plan["updates"] = settings["max_steps"] if what.trains and int(settings.get("max_steps") or 0) > 0 else None
    plan["seconds"] = probe(what) if args.probe else None
    if stage == "grpo":
        plan["ppo"] = {"peak_gib": found.peak(ppo=True) / _GIB, "fits": found.fits(ppo=True)}
    return plan


def show(plan: dict[str, Any]) -> str:
    """The table of a plan."""
    if "model" in plan:
        gpus = f"{plan['gpus']} x {plan['memory_gib']:g} GiB"
        how = f", {plan['sharding']}" if plan["sharding"] != "none" else ""
        lines = [f"{plan['stage']}: {plan['model']}, {plan['parameters'] / 1e9:.2f} B parameters, {gpus}{how}"]
    else:
        lines = [f"{plan['stage']}: {plan['memory_gib']:g} GiB of the machine's memory"]
    ppo = plan["ppo"]
    lines.append(_row("GiB per GPU" if "model" in plan else "GiB", "GRPO" if ppo else "", "PPO" if ppo else ""))
    for part in plan["parts"]:
        if part["ppo_only"] and not ppo:
            continue
        when = "" if part["when"] == "always" else f" ({part['when']})"
        value = f"{part['gib']:.2f}"
        own = "" if part["ppo_only"] else value
        lines.append(_row(f"  {part['part']}{when}", own, value if ppo else "", part["how"]))
    turns = any(part["when"] == "sampling" for part in plan["parts"])
    how = "sampling or update, whichever is larger" if turns else ""
    lines.append(_row("  at its fullest", f"{plan['peak_gib']:.2f}", f"{ppo['peak_gib']:.2f}" if ppo else "", how))
    if ppo:
        share = plan["peak_gib"] / ppo["peak_gib"]
        lines.append(f"GRPO takes {share:.0%} of what PPO with a critic of the policy's shape would.")
    lines += [*_time(plan), *plan["notes"]]
    over = plan["peak_gib"] > plan["memory_gib"]
    verdict = "fits" if plan["fits"] else "DOES NOT FIT" if over else "DOES NOT WORK"
    lines.append(f"{verdict}: {plan['peak_gib']:.1f} of {plan['memory_gib']:g} GiB")
    lines += [f"  instead: {line}" for line in plan["advice"]]
    return "\n".join(lines)


def _time(plan: dict[str, Any]) -> list[str]:
    """What an update computes, and how long it takes."""
    if "work" not in plan:
        return []
    done = plan["work"]
    trains = bool(done["trained"])
    counts = [f"{done[name]:,} tokens {name}" for name in ("trained", "sampled") if done[name]]
    if not counts:
        return []
    line = f"{'An update' if trains else 'A batch'}: {', '.join(counts)}, {done['tflop']:.3g} TFLOP"
    if plan["seconds"]:
        parts = ", ".join(f"{name} {seconds:.3g}" for name, seconds in plan["seconds"].items())
        together = sum(plan["seconds"].values())
        line += f"; by a probe on this machine {together:.3g} s ({parts})"
        if not trains:
            line += f", {done['sampled'] / together:,.0f} tokens a second"
        elif plan["updates"]:
            line += f", {plan['updates']} updates {together * plan['updates'] / 60:.3g} min"
    return [line]


def _row(name: str, own: str, ppo: str, how: str = "") -> str:
    return f"{name:<32}{own:>8}{ppo:>8}   {how}".rstrip()


def main(argv: list[str]) -> int:
    """Runs the command: 0 when the run fits, 1 when it does not."""
    args, flags = make_parser().parse_known_args(argv)
    if args.gpus < 1 or not args.memory > 0:
        raise ConfigError("--gpus and --memory should be positive.")
    stage, file = find_recipe(args.recipe, args.stage)
    runs = runs_of(stage, file, flags)
    # `iterate` continues a reward model that may not be there yet.
    absent = (args.scorer or runs[0][1]["model_name_or_path"]) if stage == "iterate" else None
    plans = [plan_of(name, settings, args, absent) for name, settings in runs]
    if args.json:
        print(json.dumps(plans if len(plans) > 1 else plans[0], indent=2))
    else:
        print("\n\n".join(show(plan) for plan in plans))
    return 0 if all(plan["fits"] for plan in plans) else 1
