"""The report of a run: `report.html` in one file with its plots, and `report.md`."""

from importlib.util import find_spec
from typing import Any

from run import POLICIES, STAGES, Run, left_out
from task import FACTS, MISCONCEPTIONS, SLIP_ELSEWHERE, SLIP_IN_MISCONCEPTION, read_rows, wrong_lines

from trl_dsmath.data.journal import write_whole
from trl_dsmath.grading.metrics import wilson
from trl_dsmath.paper import CORPUS, EVALUATION, GRPO_STAGE, MODEL, PRETRAIN, RESULTS, REWARD_MODEL, SFT_STAGE
from trl_dsmath.report import Example, Page, Sample, Section, Step
from trl_dsmath.report.plot import BLUE, GREY, NO_PLOT, ORANGE, Series, bars, lines
from trl_dsmath.text import read_answer

Results = dict[str, dict[str, Any]]
TITLE = "dsmath quickstart: DeepSeekMath on a toy task"
K = 16  # samples per vote
SHOWN_K = (1, 2, 4, 8, 16)
BY = {
    "corpus": "corpus.loop.run_loop (fastText)",
    "pretrain": "PretrainTrainer",
    "sft": "MathSFTTrainer",
    "annotate": "shepherd.annotate",
    "prm": "PRMTrainer",
    "grpo": "DeepSeekMathGRPOTrainer",
    "step_grpo": "StepGRPOTrainer",
    "solve": "Solver",
    "quantize": "load_policy (bitsandbytes)",
}
NAMES = {"pretrain": "pretrain", "sft": "SFT", "grpo": "GRPO, outcome", "step_grpo": "GRPO, outcome + process"}
ARMS = {"grpo": (BLUE, "outcome"), "step_grpo": (ORANGE, "outcome + process")}
CAVEATS = (
    f"**The errors are designed in.** The texts of the corpus and of SFT come from a sloppy author, who writes a digit one "
    f"too high {SLIP_IN_MISCONCEPTION:.0%} of the time for {MISCONCEPTIONS} of the {len(FACTS)} facts (such as 7+8=5) and "
    f"{SLIP_ELSEWHERE:.0%} of the time for the others. A model that imitates this author perfectly is right in about "
    "42 % of its samples. The SFT model starts low on purpose, so that there is something to repair.",
    f"**Training and test share the {len(FACTS)} facts.** Held-out problems are other problems: no training problem has "
    "the same start and the same three turns, under any name. The single facts in them are the same. The gain shows "
    "that facts and copying were learned, not that anything reaches beyond them.",
    "**The corpus is easy.** Its pages are made up, their kinds share few words, and the rules on sites are right. The loop "
    "is the real one; its precision here says nothing about a crawl of the web.",
    "**The PRM's form fits a task with one right text.** It scores a step by the likelihood of the text so far and one "
    "learned bias. In mathematics with many ways to say it, that would punish the less usual one. On this task a model of "
    "this size does not learn the usual form, a classification head, in the time (AUROC .64 to .70 on five seeds, "
    "benchmarks/results/process_supervision.md). An AUROC near 1 is a toy's: two digits are in question, and all facts "
    "were seen.",
    "**Process supervision is not shown to be better.** Three steps are few, and the outcome tells nearly all. What is "
    "shown is that a learned PRM beside the outcome does no harm within these updates. Alone, a weak PRM was reward-hacked "
    "(docs/results/process-supervision.md).",
    "**Majority votes hardly help before GRPO**, because all samples share the author's misconceptions. The gap to the "
    "vote weighted by the PRM is designed in with them. pass@K can rise with GRPO here, as it does not in the paper: each "
    "problem has one text that is right, and GRPO makes it likely everywhere.",
    "**It says nothing about real mathematics.** One kind of problem, ten answers, three steps, 153,600 weights, learning "
    "rates that would ruin a real model. Stages, trainers, reward and the names of the settings are those of a real run; "
    "the metrics are not.",
    "**One run is one draw.** The intervals cover the choice of the held-out problems, not another seed: other seeds "
    "start from other misconceptions. docs/results/quickstart.md has the spread over seeds.",
)


def write(run: Run) -> list[str]:
    """Writes the report of the stages that are finished. Returns what to tell on the terminal."""
    page = make_page(run)
    write_whole(run.path / "report.md", page.markdown())
    write_whole(run.path / "report.html", page.html())
    told = [page.headline, f"Report: {run.path / 'report.html'} (and report.md)"]
    return told if find_spec("matplotlib") else [*told, NO_PLOT]


def make_page(run: Run) -> Page:
    """The report of the stages that are finished."""
    results = {stage: result for stage in STAGES if (result := run.result(stage)) is not None}
    versions = list(results.values())[-1]["versions"] if results else {}
    sections = [
        Section(plots=plots(results)) if find_spec("matplotlib") else Section(note=f"{NO_PLOT} Then run again.")
    ]
    if "solve" in results:
        note = (
            "Samples of the SFT model for held-out problems. The number and the color of a step are the PRM's score, from "
            "red (0) to green (1); ✗ marks a sum that is actually wrong, which the PRM was never told."
        )
        examples = choose_examples(read_rows(run.path / "solve" / "sft.jsonl"))
        sections.append(Section("Steps and their scores", examples=examples, note=note))
    sections += [accuracy_table(results), *vote_table(results), *format_table(results), training_table(results)]
    note = (
        "The two columns are not to be compared: different tasks, different models. H100 hours are arithmetic, 6 operations "
        "per weight and token at 40 % of 989 TFLOPS; nothing of this size was run here."
    )
    sections.append(Section("The paper beside it", paper_table(results), 4, note=note))
    sections.append(Section("What is designed in, and what a toy cannot show", bullets=CAVEATS))
    installed = ", ".join(f"{name} {number}" for name, number in versions.items())
    settings = f"Seed {run.settings.seed}, {run.settings.problems} held-out problems"
    sections.append(Section("Settings and versions", note=f"{settings}. {installed}"))
    return Page(TITLE, sections, headline(results), tiles=tiles(results))


def headline(results: Results) -> str:
    """The result in a sentence."""
    if not {"sft", "grpo"} <= set(results):
        return f"Finished so far: {', '.join(results) or 'nothing'}."
    share = {
        stage: results[stage]["right"]["greedy"] / results[stage]["problems"] for stage in ARMS if stage in results
    }
    sft, total = results["sft"]["right"]["greedy"] / results["sft"]["problems"], results["grpo"]["problems"]
    text = (
        f"GRPO took greedy accuracy from {sft:.1%} to {share['grpo']:.1%} ({100 * (share['grpo'] - sft):+.1f} points) on "
        f"{total} held-out problems"
    )
    return text + (f"; with process rewards to {share['step_grpo']:.1%}." if "step_grpo" in share else ".")


def tiles(results: Results) -> list[tuple[str, str, str]]:
    """The main numbers: name, number, explanation."""
    found = []
    for stage, (_, name) in ARMS.items():
        if {"sft", stage} <= set(results):
            before, after = (results[one]["right"]["greedy"] / results[one]["problems"] for one in ("sft", stage))
            number = f"{100 * before:.1f} → {100 * after:.1f} %"
            found.append((f"GRPO, {name}", number, f"{100 * (after - before):+.1f} points, greedy"))
    if "prm" in results and results["prm"]["auroc"] is not None:
        tested = f"{results['prm']['tested']:,} held-out steps"
        found.append(("PRM, step AUROC", f"{results['prm']['auroc']:.3f}", tested))
    if "solve" in results:
        majority, weighted = (100 * results["solve"]["sft"][vote][-1] for vote in ("majority", "weighted"))
        found.append((f"SFT, vote of {K}", f"{majority:.0f} → {weighted:.0f} %", "majority → weighted by the PRM"))
    if "quantize" in results:
        share = {
            bits: results["quantize"][bits]["right"] / results["quantize"]["problems"] for bits in ("32", "8", "4")
        }
        found.append(("In 4 bits, greedy", f"{share['4']:.1%}", f"{share['8']:.1%} in 8, {share['32']:.1%} in 32"))
    wall, cpu = (sum(result["seconds"][kind] for result in results.values()) for kind in ("wall", "cpu"))
    return [*found, ("All stages", f"{wall:.0f} s", f"{cpu:.0f} CPU seconds")]


def interval(right: float, total: int) -> str:
    """`41.6% (37.4 to 46.0)`."""
    low, high = wilson(right, total)
    return f"{right / total:.1%} ({100 * low:.1f} to {100 * high:.1f})"


def accuracy_table(results: Results) -> Section:
    rows = [["model after", "greedy (95 % interval)", "sampled at T = 1"]]
    for stage in POLICIES:
        if stage in results:
            right, total = results[stage]["right"], results[stage]["problems"]
            rows.append([NAMES[stage], interval(right["greedy"], total), interval(right["sampled"], total)])
    note = (
        "Share of held-out problems whose boxed answer is right, from real generation, judged by `boxed_accuracy_reward`. "
        "Sampled: one sample per problem. 95 % Wilson intervals."
    )
    return Section("Accuracy", rows, note=note) if rows[1:] else Section()


def vote_table(results: Results) -> list[Section]:
    if "solve" not in results:
        return []
    solve, total = results["solve"], results["solve"]["problems"]
    rows = [["model after", f"majority of {K}", f"vote of {K} weighted by the PRM", f"pass@{K}"]]
    for stage in POLICIES[1:]:
        shares = (solve[stage][vote][-1] for vote in ("majority", "weighted", "pass"))
        rows.append([NAMES[stage], *(interval(share * total, total) for share in shares)])
    before, after = solve["sft"]["pass"][-1], solve["grpo"]["pass"][-1]
    note = (
        f"The first {total} held-out problems, {solve['data'].rsplit(', ', 1)[-1]}. A vote weighs the lowest step score of its "
        f"sample. In the paper RL lifts maj@K and not pass@K (§5.2.2). Here pass@{K} went from {before:.1%} to {after:.1%}, "
        "by outcome rewards."
    )
    return [Section("Self-consistency", rows, note=note)]


def format_table(results: Results) -> list[Section]:
    if "quantize" not in results:
        return []
    rows = [["weights in", "greedy", "memory of the weights", "seconds"]]
    for bits in ("32", "8", "4"):
        form, total = results["quantize"][bits], results["quantize"]["problems"]
        kilobytes = f"{form['bytes'] / 1000:.0f} kB"
        rows.append([f"{bits} bit", interval(form["right"], total), kilobytes, f"{form['seconds']:.1f}"])
    note = (
        "bitsandbytes int8 and nf4 with double quantization, through `load_policy`. The embedding stays in 16 bits. On a CPU, "
        "quantized arithmetic is no faster."
    )
    return [Section("In 8 and in 4 bits", rows, note=note)]


def training_table(results: Results) -> Section:
    rows = [["stage", "by", "on", "updates", "seconds", "CPU s", "peak MB"]]
    for stage in STAGES:
        result = results.get(stage)
        if result is None:
            rows.append([stage, BY[stage], left_out(stage) or "has not run", "", "", "", ""])
            continue
        numbers = [f"{result['seconds']['wall']:.1f}", f"{result['seconds']['cpu']:.1f}", f"{result['peak_mb']:.0f}"]
        rows.append([stage, BY[stage], result["data"], str(result["steps"]) if "log" in result else "", *numbers])
    if results:
        sums = [f"{sum(result['seconds'][kind] for result in results.values()):.1f}" for kind in ("wall", "cpu")]
        peak = f"{max(result['peak_mb'] for result in results.values()):.0f}"
        rows.append(["**in all**", "", "", "", *(f"**{number}**" for number in (*sums, peak))])
    note = (
        "Seconds of a stage hold its measurements. Not counted: 5 to 10 seconds to import torch and TRL. Peak: the most memory "
        "of the process up to the end of the stage, most of it the libraries."
    )
    return Section("What was trained on what", rows, 3, note=note)


def paper_table(results: Results) -> list[list[str]]:
    """The paper's own numbers beside each stage, and what each would take; what has not run here has a dash."""

    def published(model: str) -> str:
        return f"GSM8K {RESULTS[model, 'cot', 'gsm8k']} %, MATH {RESULTS[model, 'cot', 'math']} %"

    def about(tokens: float) -> str:
        return f"about {float(f'{h100_hours(tokens):.2g}'):,.0f} H100 hours"

    def here(stage: str) -> str:
        if stage not in results or stage not in POLICIES:
            return results[stage]["line"].replace("->", "→") if stage in results else "—"
        counts = results[stage]["right"].items()
        return ", ".join(f"{count / results[stage]['problems']:.1%} {decoding}" for decoding, count in counts)

    sft_tokens = SFT_STAGE.max_steps * SFT_STAGE.batch_size * SFT_STAGE.max_length
    grpo_tokens = GRPO_STAGE.questions * GRPO_STAGE.group_size * GRPO_STAGE.max_completion_length
    gib = results.get("quantize", {}).get("paper_gib")
    memory = "; ".join(f"{bits} bit {size:.1f} GiB" for bits, size in gib.items()) if gib else "—"
    votes = f"maj@{EVALUATION.votes}"
    theirs = {
        "corpus": (
            f"{CORPUS.pages / 1e6:.1f} million pages, {CORPUS.tokens / 1e9:.0f} billion tokens (§2.1)",
            f"a web crawl, {CORPUS.iterations} rounds, people who decide on sites: `recipes/corpus/paper.yaml`",
        ),
        "pretrain": (
            f"Base, few-shot: {published('base')} (Table 2)",
            f"{PRETRAIN.tokens / 1e9:.0f} billion tokens: {about(PRETRAIN.tokens)}",
        ),
        "sft": (
            f"Instruct: {published('instruct')} (Table 5)",
            f"{SFT_STAGE.max_steps} updates of {SFT_STAGE.batch_size} x {SFT_STAGE.max_length:,} tokens: "
            f"{about(sft_tokens)}",
        ),
        "annotate": (
            "no number; labels by rollouts, after Math-Shepherd (§4.1.3)",
            "a policy that reaches some right answers, and rollouts from every step: `dsmath annotate`",
        ),
        "prm": (
            f"no accuracy is given; learning rate {REWARD_MODEL.learning_rate:g} (§4.2)",
            "a 7B with a classification head: `recipes/prm`; the form used here suits a toy only",
        ),
        "grpo": (
            f"RL: {published('rl')} (Table 5)",
            f"{GRPO_STAGE.questions:,} questions x {GRPO_STAGE.group_size} samples of up to "
            f"{GRPO_STAGE.max_completion_length:,} tokens: {about(grpo_tokens)} for the updates, sampling not counted; "
            "`recipes/grpo/paper.yaml`",
        ),
        "step_grpo": (
            "process above outcome supervision in a curve of the 1.3B model; no table (§5.2)",
            "the same samples, and a reward model that reads each once",
        ),
        "solve": (
            f"RL, {votes} on MATH: {RESULTS['rl', votes, 'math']} % (abstract); RL lifts maj@K, not pass@K (§5.2.2)",
            f"{EVALUATION.votes} samples per problem: `dsmath solve`, `dsmath evaluate`",
        ),
        "quantize": (
            f"not in the paper; weights of a 7B of its shape: {memory}",
            "a GPU with memory for one of these",
        ),
    }
    return [["stage", "here", "DeepSeekMath 7B", "what that takes"], *([s, here(s), *theirs[s]] for s in STAGES)]


def parameters() -> int:
    """Weights of the published 7B, by its shape: two embeddings, attention and feed-forward; norms are left out."""
    layer = 4 * MODEL.hidden_size**2 + 3 * MODEL.hidden_size * MODEL.intermediate_size
    return 2 * MODEL.vocab_size * MODEL.hidden_size + MODEL.num_hidden_layers * layer


def h100_hours(tokens: float) -> float:
    """GPU hours to train on so many tokens: 6 operations per weight and token, at 40 % of an H100's peak in bfloat16."""
    return 6 * parameters() * tokens / (0.4 * 989e12) / 3600


def plots(results: Results) -> dict[str, str]:
    """SVG by caption."""
    found = {}
    policies = [stage for stage in POLICIES if stage in results]
    if policies:
        total, series = results[policies[0]]["problems"], []
        for decoding, label, color in (("greedy", "greedy", BLUE), ("sampled", "sampled, T = 1", GREY)):
            right = [results[stage]["right"][decoding] for stage in policies]
            ends = [wilson(count, total) for count in right]
            series.append(Series(label, [count / total for count in right], color, intervals=ends))
        labels = [NAMES[stage].replace(", outcome + ", ",\n+ ").replace(", ", ",\n") for stage in policies]
        caption = f"Accuracy on {total} held-out problems after each stage, with 95 % intervals."
        found[caption] = bars("accuracy", labels, series)
    arms = [stage for stage in ARMS if stage in results]
    if arms:
        series = []
        for stage in arms:
            (color, label), total = ARMS[stage], results[stage]["problems"]
            steps, right = zip(*curve(results, stage), strict=True)
            ends = [wilson(count, total) for count in right]
            series.append(Series(label, [count / total for count in right], color, steps, ends, marker="o"))
            key = "rewards/boxed_accuracy_reward/mean"
            own = [(entry["step"], entry[key]) for entry in results[stage]["log"] if key in entry]
            series.append(Series("", [reward for _, reward in own], color, [step for step, _ in own], style=":"))
        series.append(Series("training samples", [], GREY, style=":"))
        caption = "GRPO learns. Line and band: held-out problems, greedy, 95 % interval. Dotted: its own samples."
        found[caption] = lines("curves", series, "GRPO step")
    if "prm" in results and results["prm"]["roc"]:
        wrong, right = zip(*results["prm"]["roc"], strict=True)
        series = [Series("chance", [0, 1], GREY, [0, 100], style="--")]
        series.append(Series(f"PRM, AUROC {results['prm']['auroc']:.3f}", right, BLUE, [100 * x for x in wrong]))
        caption = "The PRM, trained on rollouts alone, tells right steps of held-out solutions from wrong ones."
        found[caption] = lines("roc", series, "wrong steps let through, %", "right steps let through, %")
    if "solve" in results:
        solve, series = results["solve"], []
        for vote, color, label in (
            ("pass", GREY, "pass@k"),
            ("weighted", ORANGE, "vote by PRM"),
            ("majority", BLUE, "maj@k"),
        ):
            series.append(Series(label, solve["grpo"][vote], color, solve["k"], marker="o"))
            series.append(Series("", solve["sft"][vote], color, solve["k"], style="--", marker="o"))
        series += [Series("after GRPO", [], GREY), Series("before", [], GREY, style="--")]
        caption = "Votes and pass@k, before GRPO (dashed) and after it with the outcome alone (solid)."
        found[caption] = lines("votes", series, "samples k", log2=True, legend_columns=2)
    return found


def curve(results: Results, stage: str) -> list[tuple[int, int]]:
    """Steps of a GRPO run at which held-out problems were measured, and how many were right."""
    points = [(entry["step"], entry["greedy_right"]) for entry in results[stage]["log"] if "greedy_right" in entry]
    first = [(0, results["sft"]["right"]["greedy"])] if "sft" in results else []
    return [*first, *points, (results[stage]["steps"], results[stage]["right"]["greedy"])]


def choose_examples(rows: list[dict[str, Any]]) -> list[Example]:
    """Two problems on which only the weighted vote is right, one where both votes are, one where it is wrong."""
    captions = {
        (True, False): "The majority is wrong, the vote weighted by the PRM is right",
        (True, True): "Both votes are right",
        (False, None): "The vote weighted by the PRM is wrong",
    }
    found: dict[tuple[bool, bool | None], list[dict[str, Any]]] = {kind: [] for kind in captions}
    for row in rows:
        majority, weighted = winner(row["samples"], by_score=False), winner(row["samples"], by_score=True)
        if majority is not None and weighted is not None:
            found[weighted["right"], majority["right"] if weighted["right"] else None].append(row)
    counts = {(True, False): 2, (True, True): 1, (False, None): 1}
    return [make_example(captions[kind], row) for kind in captions for row in found[kind][: counts[kind]]]


def winner(samples: list[dict[str, Any]], by_score: bool) -> dict[str, Any] | None:
    """The best-scored sample of the winning answer, by number of samples or by the sum of their scores."""
    weights: dict[int, float] = {}
    for sample in samples:
        if sample["class"] is not None:
            weights[sample["class"]] = weights.get(sample["class"], 0.0) + (sample["score"] if by_score else 1.0)
    if not weights:
        return None
    best = max(weights, key=weights.__getitem__)
    return max((sample for sample in samples if sample["class"] == best), key=lambda sample: sample["score"])


def make_example(caption: str, row: dict[str, Any]) -> Example:
    """The weighted winner and a rival: a right sample where the winner is wrong, else the most frequent other answer."""
    chosen = winner(row["samples"], by_score=True)
    assert chosen is not None
    others = [sample for sample in row["samples"] if sample["class"] != chosen["class"]]
    rival = winner([sample for sample in others if sample["right"]] or others, by_score=False)
    samples = [make_sample(sample, row["samples"]) for sample in (rival, chosen) if sample is not None]
    return Example(caption, row["question"], [("right", row["answer"], None)], samples=samples)


def make_sample(sample: dict[str, Any], samples: list[dict[str, Any]]) -> Sample:
    same = [other for other in samples if other["class"] == sample["class"]]
    weight, total = sum(one["score"] for one in same), sum(one["score"] for one in samples)
    share = f", {weight / total:.0%} of the weight" if total else ""
    wrong = wrong_lines("".join(sample["steps"]))
    scored = zip(sample["steps"], sample["step_scores"], strict=True)
    steps = [Step(text.rstrip("\n"), score, number in wrong) for number, (text, score) in enumerate(scored)]
    title = f"Answer {read_answer(sample['text'])}: {len(same)} of {len(samples)} samples{share}"
    return Sample(title, sample["right"], steps)
