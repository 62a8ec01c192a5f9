"""What `mkdocs build` makes itself: the command reference, the recipe table, the API pages, and formulas as MathML."""

import argparse
import html
import inspect
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

from trl_dsmath.cli import RECIPES, SMALL, plan
from trl_dsmath.scripts import ScriptParser, recipe_infos, recipe_script, recipes_folder, script_parser
from trl_dsmath.scripts.recipes import RecipeInfo

# The packages of the API reference, and the names of those that have more than users need.
API = {
    "rewards": "Reward functions in TRL's signature.",
    "grading": "Verdicts on answers.",
    "grpo": "GRPO with the paper's values, and with one advantage per step.",
    "prm": "Process reward models.",
    "shepherd": "Step labels by rollouts.",
    "sft": "Supervised fine-tuning.",
    "pretrain": "Continued pre-training.",
    "inference": "Solving and evaluation.",
    "audit": "A run's completions, judged again.",
    "generation": "Engines and the tool loop.",
    "sandbox": "Running programs that a model wrote.",
    "integrations": "verl and lighteval.",
    "data": "Columns, prompts, journals.",
    "corpus": "Mathematical text from a crawl.",
    "iterate": "Iterative GRPO.",
    "plan": "Forecasts of memory.",
    "scripts": "What recipe scripts share.",
    "errors": "Exceptions.",
}
_MATH = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
_TYPE = re.compile(r"\(<code>([^<]*`[^<]*)</code>(?:, default:\s*<code>.*?</code>\s*)?", re.DOTALL)
_RETURNED = re.compile(r'(field-body">\s*<code>)([^<]*`[^<]*)</code>')
_REFERENCE = re.compile(
    r"\[<code>~?(?:\w+\.)*(\w+)</code>\]"
)  # [`~trl.GRPOTrainer`], as Hugging Face's doc-builder has it


def on_files(files: Files, config: Any) -> Files:
    """Adds the generated pages."""
    pages = {"commands": command_pages(), "recipes": recipe_page(), "api/index": api_index()}
    pages |= {f"api/{package}": api_page(package) for package in API}
    for name, text in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_content(content: str, **_: Any) -> str:
    """Draws formulas as MathML, which browsers read without a script; types and references as TRL's docs have them."""
    content = _MATH.sub(
        lambda found: convert(html.unescape(found[3]), display="inline" if found[2] == "(" else "block"), content
    )
    content = _TYPE.sub(_type, content)
    content = _RETURNED.sub(lambda found: found[1] + found[2].replace("`", "") + "</code>", content)
    return _REFERENCE.sub(r"<code>\1</code>", content)


def _type(found: re.Match[str]) -> str:
    """The type of an argument, from `` `int`, *optional*, defaults to `8` ``."""
    name, _, default = re.sub(r"\[`~?|`\]|`", "", found[1]).partition(", defaults to ")
    bare = name.removesuffix(", *optional*")
    optional = ", optional" if bare != name else ""
    return f"(<code>{bare}</code>{optional}" + (f", default <code>{default}</code>" if default else "")


# --- Commands ---


def command_pages() -> str:
    """Every command with its own options; those of TRL are named."""
    lines = ["# Commands", ""]
    lines += ["Options are flags (`--max_steps 5`) or keys of a YAML file (`--config FILE`); a flag wins."]
    lines += ["`dsmath COMMAND --help-all` lists those of TRL and transformers too.", ""]
    for command, what in RECIPES.items():
        lines += [f"## dsmath {command}", "", f"{what[0].upper()}{what[1:]}.", ""]
        for title, actions in groups_of(command):
            lines += [f"**{title}**", "", *_table(actions), ""]
    for command, (module, what) in SMALL.items():
        lines += [f"## dsmath {command}", "", f"{what[0].upper()}{what[1:]}.", ""]
        lines += [*_table(import_module(f"trl_dsmath.cli.{module}").make_parser()._actions), ""]
    return "\n".join(lines)


def groups_of(command: str) -> list[tuple[str, list[argparse.Action]]]:
    """The options of a recipe script, those of its subcommands too."""
    script = recipe_script(command)
    sys.path.insert(0, str(script.parent))  # quickstart has modules beside it
    groups = script_parser(command).option_groups()
    if command == "corpus":
        names = runpy.run_path(str(script), run_name="recipe_corpus")
        for sub in ("prepare", "annotate", "score"):
            parser = ScriptParser(names[f"{sub.capitalize()}Arguments"])
            groups += [(f"dsmath corpus {sub}", actions) for _, actions in parser.option_groups()]
    sys.path.pop(0)
    return groups


def _table(actions: list[argparse.Action]) -> Iterator[str]:
    yield from ("| option | default | |", "| --- | --- | --- |")
    for action in actions:
        if action.dest == "help" or action.default == argparse.SUPPRESS:
            continue
        name = f"`--{action.dest}`" if action.option_strings else f"`{action.dest.upper()}`"
        shown = (
            action.default not in (None, "")
            and action.default is not False
            and not isinstance(action.default, (list, dict))
        )
        default = f"`{str(action.default).splitlines()[0]}`" if shown else ""
        text = " ".join((action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%").split())
        if action.choices:
            text = f"{text} One of {', '.join(f'`{choice}`' for choice in action.choices)}."
        yield f"| {name} | {default} | {_cell(text)} |"


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;")


# --- Recipes ---


def recipe_page() -> str:
    """The recipes with what their headers say, and the forecast of `dsmath plan`."""
    lines = ["# All recipes", ""]
    lines += ["What the headers of the YAML files say; GiB of the fullest GPU by [`dsmath plan`](../guides/plan.md)."]
    lines += ['"not run": nobody has run the recipe.', ""]
    lines += ["| recipe | hardware | GiB | time | expect |", "| --- | --- | --- | --- | --- |"]
    for info in recipe_infos():
        figure = re.sub(r" \(docs/[^)]*\)", "", info.expect)
        cells = map(_cell, (info.hardware, forecast(info), info.time, figure))
        lines.append(f"| **{info.name}**<br>`{_cell(command_of(info.name))}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def command_of(recipe: str) -> str:
    """The first command in the header of a recipe that starts it."""
    stage, name = recipe.split("/")
    text = (recipes_folder() / f"{recipe}.yaml").read_text(encoding="utf-8")
    for line in re.findall(r"^# +(dsmath .*)", text, re.MULTILINE):
        command = re.split(r"\s{3,}", line)[0].split("&&")[-1].strip()
        words = shlex.split(command)
        if words[1] == stage and name in words:
            return command
    return f"dsmath {stage} --config {name}"


def forecast(info: RecipeInfo) -> str:
    """GiB of the fullest GPU by `dsmath plan`, on the GPUs of the header; nothing for a CPU."""
    found = re.search(r"(?:(\d+|one) )?GPUs? with (\d+) GB", info.hardware)
    if not found:
        return ""
    gpus, memory = (1 if found[1] in (None, "one") else int(found[1])), int(found[2])
    args = plan.make_parser().parse_args(["--recipe", info.name, "--gpus", str(gpus), "--memory", str(memory)])
    stage, file = plan.find_recipe(info.name, None)
    runs = plan.runs_of(stage, file, [])
    absent = runs[0][1]["model_name_or_path"] if stage == "iterate" else None
    return f"{max(plan.plan_of(name, settings, args, absent)['peak_gib'] for name, settings in runs):.1f}"


# --- API ---


def api_index() -> str:
    """The packages, and the names in each."""
    lines = ["# API", "", "| package | what | names |", "| --- | --- | --- |"]
    for package, what in API.items():
        names = ", ".join(f"`{name}`" for name, _ in public(package))
        lines.append(f"| [{package}]({package}.md) | {what} | {names} |")
    return "\n".join(lines)


def api_page(package: str) -> str:
    """All public names of a package; one that has a place on another package's page is named there."""
    lines = [f"# {package}", "", f"{API[package]} `from trl_dsmath.{package} import ...`", ""]
    for name, home in public(package):
        other = home.split(".")[1]
        elsewhere = other != package and other in API and home in dict(public(other)).values()
        lines += [f"`{name}`: see [{other}]({other}.md#{home})." if elsewhere else f"::: {home}", ""]
    return "\n".join(lines)


def public(package: str) -> list[tuple[str, str]]:
    """The public names of a package, and where each is written."""
    module = import_module(f"trl_dsmath.{package}")
    names = getattr(module, "__all__", None) or [
        name for name, value in vars(module).items() if inspect.isclass(value) and value.__module__ == module.__name__
    ]
    found = []
    for name in names:
        value = getattr(module, name)
        written = inspect.isclass(value) or inspect.isfunction(value)
        found.append((name, f"{value.__module__}.{value.__name__}" if written else f"{module.__name__}.{name}"))
    return found
