r"""The answer of a completion: its last balanced box, GSM8K's `####`, or a sentence that announces it.

This runs on every completion of every training step: microseconds each.
"""

import re

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)(?![a-zA-Z])")
_BRACE = re.compile(r"\\.|[{}]")
# `\boxed 5`: TeX would take one character, people mean the word.
_BARE = re.compile(r"\s*(-?\\[a-zA-Z]+(?:\{[^{}]*\})+|-?\\?[\w.,/^]*\w)")
# What a model wrote for the interpreter, and what the interpreter wrote back, is not the model's answer.
_FENCE = re.compile(r"```[ \t]*(?:python\d?|py|output|tool_output|stdout)\b.*?(?:```|\Z)", re.DOTALL | re.IGNORECASE)
# Between two boxes that form one answer: "\boxed{3} and \boxed{5}", "$\boxed{x=1}$, $y = \boxed{2}$".
_JOIN = re.compile(
    r"(?:[\s$,;，；、]|\\[,;() ]|\\(?:q?quad|text)\b|\{\s*(?:and|or)\s*\}|\b(?:and|or)\b|[和或及与]|第[一二三四]空[:：]?)*(?:[\w{}()+\-^\\/!' ]{1,40}=\s*)?[\s$]*"
)
_JOIN_WORD = re.compile(r"[,;，；、和或及与]|\b(?:and|or)\b")
_NEAR_A_BOX = re.compile(r"\}|box")  # the end of an earlier one, or what encloses this one
_JOIN_REACH = 60
_HASHES = re.compile(r"####+[ \t]*(\S[^\n]*)")
# "18 dollars every day at the farmers' market": a number, then words that say no more than what was counted.
_NUMBER_AND_PROSE = re.compile(
    r"\\?\$?\s?[-−]?(?:\d{1,3}(?:[ ,]\d{3})+|\d+)(?:\.\d+)?\s?%?"
    r"(?=\s+(?=[A-Za-z])(?:(?!\b(?:or|and|not|but|less|more|least|most|than|remainder|except|if|so|plus|minus|dozen|hundred"
    r"|thousand|million|billion)\b)(?:[A-Za-z' ,.()-]|(?:(?<=\bfor )|(?<=\bhis )|(?<=\bher )|(?<=\btheir ))\d+))*$)"
)
_GROUPED = re.compile(r"\d{1,3}(?: \d{3})+")
_PROSE = re.compile(r"[A-Za-z']+(?:\s+[A-Za-z']+){2,}")
_TAGGED = re.compile(r"<answer>((?:(?!</?answer>).)*)</answer>", re.DOTALL | re.IGNORECASE)
# Generation may stop at "</answer>" and leave it out.
_STOPPED = re.compile(r"<answer>([^<>]{1,200})\Z", re.IGNORECASE)
_JSON = re.compile(r'"(?:final_?)?answer"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(-?[\d.]+))', re.IGNORECASE)
_WHAT_FOLLOWS = (
    r"[:：\s*]*(?:\"\"\"\s*)?(\$[^$\n]+\$|\\\([^\n]+?\\\)|\\\[[^\n]+?\\\]|[^\n]*?)"
    r"(?=[.。!]?\**\s*(?:$|\n)|(?<!\bMr)(?<!\bMs)(?<!\bMrs)(?<!\bDr)(?<!\bSt)[.。]\s|,?\s+I\s+hope|(?<=[$)\]]),\s+(?!(?:or|and|not|but|if|plus|minus)\b)[a-z][a-z ]*[.!]?\s*(?:$|\n))"
)
_SENTENCE = re.compile(
    r"(?:\b(?:answer|(?:correct|right|best) (?:option|choice))(?:\s+is|\s+to\s+[^.\n:]{1,80}\s+is|\**\s*[:=])|答案(?:是|为|：|:)+|【答案】|故选|应选)"
    + _WHAT_FOLLOWS,
    re.IGNORECASE,
)
_OTHER_WORDS = "final answer|result|respuesta|resposta|réponse|risposta|antwort|svar|ответ|答えは"
_OTHER_SENTENCE = re.compile(
    r"(?:\bfinal answer\**(?=\n)|\b(?:final )?result\s*:|答えは|\b(?:respuesta|resposta|réponse|risposta|antwort|svar|ответ)"
    r"(?:\s+(?:final|correcta|correta|es|é|est|è|ist|lautet|er))*\s*:?\s)" + _WHAT_FOLLOWS,
    re.IGNORECASE,
)
# "</s>", "<|im_end|>"; GAOKAO-Bench asks for "【答案】C <eoa>"
_END_MARK = re.compile(r"(?:</?s>|<eo[a-z]>|<end_of_turn>|<[|｜][\w▁]+[|｜]>)\Z")
_LETTER = re.compile(
    r"""[\s$(（\[{*"'“]*(?:\\(?:text|mathrm|mathbf|textbf|mbox|rm|bf|mathbb)\s*\{?\s*)?[\s(（\[*]*
        (?:(?:(?:the\s+|an?\s+|la\s+)?(?:correct\s+)?(?:option|choice|answer|alternativa|opción|opção)|选项|选|答案)\s*(?:is|是|为)?\s*[:：]?\s*)?[(（\[*]*
        ([A-J])
        (?!\s+(?:to|through|but|is\s+(?:not|wrong|false|incorrect))\b|\s*\\to\b|\s*是?(?:错|不正确|不对))
        (?:(?=\s*[)）\]}.:：、，,*$"'”]|\s*$|\s*\\|\s+[\d$(-]|\s+\w{2,}|[\u4e00-\u9fff]))""",
    re.VERBOSE | re.IGNORECASE,
)
_CHOOSE = re.compile(r"^(?:答案|故|应)*(?:选项?|为|是)\s*[:：]?\s*|\s*是?正确的?。?$")
_ONE = r"[(（\[]?[A-J][)）\]]?"
_LETTERS_ONLY = re.compile(rf"{_ONE}(?:\s*(?:[,，、;&/\s]*(?:[,，、;&/]|\band\b|\bor\b|[和或])\s*)?{_ONE})+")
_OPTION = re.compile(r"[(（]([A-J])[)）]\s+(?!\s|and\b|or\b|[,，、;&(（])")  # "(D) I, II, and III"
_OPTION_BEHIND = re.compile(  # "Tokyo (B)"
    r"(?!.*(?:\b(?:not?|but|except|and|or|nor|than|to|wrong|false|incorrect)\b|n't))(?=.*(?:[a-z]{3}|\d)).*\w%?\s+[(（]([A-J])[)）]",
    re.IGNORECASE,
)
_WRAPPING = re.compile(r"\\(?:textbf|text|mathrm|mathbf|mbox|q?quad)|\\[,;:! ]|[{}$\s]+$|^[{}$\s]+|[{}$]")


def visible_text(text: str) -> str:
    """The part of a completion in which an answer counts: after `</think>`, outside an unfinished `<think>`, and
    outside code that the model wrote or output that an interpreter returned."""
    text = text.rstrip()
    for _ in range(10):
        if text[-1:] != ">" or not (mark := _END_MARK.search(text[-40:])):
            break
        text = text[: -len(mark[0])].rstrip()
    if "\x08" in text:
        text = text.replace("\x08oxed", "\\boxed")  # "\boxed" written without a raw string
    if "<" in text:  # one character is found ten times faster than a word
        if "</think>" in text:
            text = text[text.rindex("</think>") + len("</think>") :]
        if "<think>" in text:
            text = text[: text.index("<think>")]
    if "`" in text:
        text = _FENCE.sub("\n", text)
    return text


def _content(text: str, start: int) -> tuple[str, int] | None:
    """Content and end of the box whose command ends at `start`; None when its brace is never closed."""
    while start < len(text) and text[start] in " \t\n":
        start += 1
    if start == len(text):
        return None
    if text[start] != "{":
        bare = _BARE.match(text, start)
        return (bare[1], bare.end()) if bare else None
    if (content := text[start + 1 : (close := text.find("}", start))]).isalnum() and close > 0:
        return content, close + 1  # most boxes hold a number
    depth = 0
    for mark in _BRACE.finditer(text, start):
        if mark[0] == "{":
            depth += 1
        elif mark[0] == "}":
            depth -= 1
            if depth == 0:
                return text[start + 1 : mark.start()], mark.end()
    return None


def _boxes_from_the_end(text: str):
    """Balanced, non-empty boxes as `(content, start, end)`, the last first. Nested boxes give the inner one first."""
    stop = len(text)
    tries = 0
    while tries < 50:  # thousands of unclosed boxes are a hostile text: each try may scan to the end
        boxed, fbox = text.rfind("\\boxed", 0, stop), text.rfind("\\fbox", 0, stop)
        start = max(boxed, fbox, text.rfind("\\framebox", 0, stop))
        if start < 0:
            return
        stop = start
        command = _BOX.match(text, start)
        found = _content(text, command.end()) if command else None
        if found and found[0].strip(" \t\n$.,~"):
            yield found[0], start, found[1]
        else:
            tries += 1


def boxes(text: str) -> list[tuple[str, int]]:
    r"""The balanced, non-empty boxes of a text, each content with the place where its command begins. A box around a box is left out."""
    found = [(content, start) for content, start, _ in _boxes_from_the_end(text) if not _BOX.search(content)]
    return found[::-1]


def last_boxed(text: str) -> str | None:
    r"""Returns the content of the last balanced, non-empty `\boxed{}`, `\fbox{}` or `\framebox{}`.

    Boxes that stand next to each other with nothing but commas, "and", "or" or `y =` between them form one answer and
    are joined by commas; when they repeat the same content it is given once.

    Args:
        text (`str`):
            Text to search; for a whole completion pass it through [`visible_text`] first.

    Returns:
        `str` or `None`: the content without the box, or `None` when there is no balanced box with something in it.
    """
    boxes = _boxes_from_the_end(text)
    last = next(boxes, None)
    if last is None:
        return None
    content, start, _ = last
    if not _NEAR_A_BOX.search(text, max(0, start - _JOIN_REACH - 1), start):
        return content
    parts = [content]
    for earlier, earlier_start, earlier_end in boxes:
        if earlier_end > start:  # encloses the box just read
            if len(parts) == 1:
                start = earlier_start
            continue
        between = text[earlier_end:start]
        if len(between) > _JOIN_REACH or not _JOIN.fullmatch(between) or not _JOIN_WORD.search(between):
            break
        parts.insert(0, earlier)
        start = earlier_start
    distinct = list(dict.fromkeys(part.strip() for part in parts))
    return content if len(distinct) == 1 else ", ".join(distinct)


def read_answer(text: str, finished: bool = True) -> str | None:
    r"""Reads the final answer out of a completion.

    Looks for, in this order: the last balanced `\boxed{}`; the last `<answer>18</answer>`; the last `"answer": "18"` of
    JSON; the last `#### 18`; the last sentence of the form "the answer is ...", "答案是...", or else "Result: ...", "La respuesta
    es ..." and the like. Text before `</think>`, in an unfinished `<think>`, in Python code and
    in the output of an interpreter does not count.

    Args:
        text (`str`):
            The completion.
        finished (`bool`, *optional*, defaults to `True`):
            Whether the completion came to its end. In one that was cut off only a complete box is an answer: "the answer is
            1" may have been the beginning of 12.

    Returns:
        `str` or `None`: the answer as it was written, or `None` when the completion gives none.
    """
    text = visible_text(text)
    boxed = last_boxed(text)
    if boxed is not None or not finished:
        return boxed
    if "<answer>" in text and (found := _TAGGED.findall(text) or _STOPPED.findall(text)):
        return _announced(found[-1]) or found[-1].strip() or None
    if 'nswer"' in text and (told := _JSON.findall(text)):
        return re.sub(r"\\([\\\"])", r"\1", "".join(told[-1])).strip() or None
    if "####" in text and (found := _HASHES.findall(text)):
        return _without_prose(found[-1].strip())
    announced = _announced(text[-2000:])
    return announced or None


def _without_prose(answer: str) -> str:
    """The number of `18 dollars every day at the farmers' market`; a unit of one or two words stays."""
    found = _NUMBER_AND_PROSE.match(answer)
    if found is None:
        return answer
    grouped = _GROUPED.search(found[0])
    return found[0].strip() if grouped or _PROSE.search(answer, found.end()) else answer


def _announced(text: str) -> str:
    found = list(_SENTENCE.finditer(text))
    if not found and any(word in text.lower() for word in _OTHER_WORDS.split("|")):
        found = list(_OTHER_SENTENCE.finditer(text))
    if not found:
        return ""
    answer = found[-1][1].strip(" *:：").removeprefix("} ").removesuffix("です")  # "\\text{The answer is } 5"
    if answer[:1] + answer[-1:] == "<>":  # "The answer is <15>."
        answer = answer[1:-1]
    return _announced(answer) or answer  # "Final answer: the final answer is 3"


def read_choice(text: str) -> str | None:
    r"""Reads the letter, A to J, of a multiple-choice answer: `B`, `(B)`, `\text{B}`, `B. 30\%`, `选B`.

    Several letters (`A, C`, `A and C`, `AC`) are returned sorted as one string; None when the text is not a choice.
    """
    text = _CHOOSE.sub("", text.strip())
    if len(text) == 1:
        return text.upper() if text.upper() in "ABCDEFGHIJ" else None
    bare = _WRAPPING.sub("", text).rstrip(" .")
    if option := _OPTION.match(bare) or _OPTION_BEHIND.fullmatch(bare[:200]):
        return option[1].upper()
    if len(bare) < 40 and _LETTERS_ONLY.fullmatch(bare):
        return "".join(sorted(set(re.findall(r"[A-J]", bare))))
    found = _LETTER.match(text)
    return found[1].upper() if found else None
