"""Does the solution stay in the language of the question?"""

import re
from collections.abc import Sequence

from ..text.chinese import chinese_characters, is_chinese
from .completions import Completion, completion_text

_NOT_PROSE = re.compile(
    r"```.*?(?:```|\Z)|\$\$.*?\$\$|\$[^$\n]*\$|\\\(.*?\\\)|\\\[.*?\\\]|\\boxed\s*\{[^{}]*\}|\\[a-zA-Z]+|</?\w+>",
    re.DOTALL,
)
_ENGLISH = re.compile(r"[A-Za-z]{2,}")


def language_consistency_reward(
    completions: Sequence[Completion],
    prompts: Sequence[Completion] | None = None,
    language: Sequence[str] | None = None,
    **columns: object,
) -> list[float]:
    """
    Reward function that gives the share of words in the target language, English or Chinese.

    Formulas, code and tags do not count. A word of English counts as much as a Chinese character and a half, which is
    about how many make one word. A completion without prose gets 1.0.

    Args:
        completions (`list[str]` or `list[list[dict]]`):
            Completions as strings or as messages.
        prompts (`list`, *optional*):
            Prompts as TRL hands them; the target is Chinese where the last message holds Chinese characters.
        language (`list[str]`, *optional*):
            Target language of each row, `"en"` or `"zh"`; goes before the guess from the prompt.
        **columns:
            The other columns of the data set; not used.

    Returns:
        `list[float]`: a share between 0.0 and 1.0 per completion.

    Source: DeepSeek-R1 (arXiv 2501.12948), §2.3.2; its formula is the proportion of target-language words.
    """
    scores = []
    for index, completion in enumerate(completions):
        if language is not None:
            target = language[index]
        else:
            target = "zh" if prompts is not None and is_chinese(_last(prompts[index])) else "en"
        text = _NOT_PROSE.sub(" ", completion_text(completion))
        chinese = chinese_characters(text) / 1.5
        english = len(_ENGLISH.findall(text))
        total = chinese + english
        scores.append(1.0 if total == 0 else (chinese if target == "zh" else english) / total)
    return scores


def _last(prompt: Completion) -> str:
    if prompt is None or isinstance(prompt, str):
        return prompt or ""
    return str(prompt[-1].get("content") or "")
