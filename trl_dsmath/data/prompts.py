r"""The paper's prompts, to the letter: question and instruction, no system prompt.

Source: the model cards of DeepSeekMath-Instruct and DeepSeekMath-RL ("Please use chain-of-thought prompt to test ...")
and `evaluation/data_processing/process_utils.py` of github.com/deepseek-ai/DeepSeek-Math, which adds the same four
instructions to every zero-shot question. `think` is not the paper's.
"""

from typing import Literal

from ..text.chinese import is_chinese

# Chain of thought, program of thought, reasoning mixed with programs, and thinking in tags (not the paper's).
Mode = Literal["cot", "pot", "tool", "think"]

# Model cards: "English questions: {question}\nPlease reason step by step, ...".
COT_EN = "\nPlease reason step by step, and put your final answer within \\boxed{}."
# Model cards: "Chinese questions: {question}\n请通过逐步推理来解答问题，...".
COT_ZH = "\n请通过逐步推理来解答问题，并把最终答案放置于\\boxed{}中。"
# DeepSeek-Math's harness, the "tool" test sets of Instruct and RL in English.
TOOL_EN = (
    "\nPlease integrate natural language reasoning with programs to solve the problem above, "
    "and put your final answer within \\boxed{}."
)
# The same harness in Chinese (mgsm-zh and cmath with tools).
TOOL_ZH = "\n请结合自然语言和Python程序语言来解答问题，并把最终答案放置于\\boxed{}中。"

# The form of DeepSeek-R1-Zero's template (arXiv 2501.12948, table 1) in words of our own, with this paper's box for the
# answer. Nothing else tells a base model of the form that the rewards ask for.
THINK_EN = (
    "\nThink first, between <think> and </think>. Begin with <think>. After </think>, give a short solution and put your "
    "final answer within \\boxed{}."
)
THINK_ZH = (
    "\n请先在<think>和</think>之间思考，并以<think>开头。在</think>之后给出简短的解答，并把最终答案放置于\\boxed{}中。"
)

# DeepSeek-Math's harness: what the model reads when no chat template is in the way. The solution follows after a space.
PLAIN_PROMPT = "User: {question}\n\nAssistant:"

# The form of the published tokenizers' `chat_template` (deepseek-math-7b-*, tokenizer_config.json), for tokenizers that
# have none. The generation prompt ends without the space that the assistant's text begins with, so that the first word
# of an answer is one token, as it is in training.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token }}"
    "{% elif message['role'] == 'system' %}{{ message['content'] + '\n\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)

# How the solutions end that we write out of a bare final answer, as in DeepSeek's own few-shot examples.
FINAL_ANSWER = "Therefore, the answer is \\boxed{{{answer}}}."

_INSTRUCTIONS: dict[tuple[Mode, bool], str] = {
    ("cot", False): COT_EN,
    ("cot", True): COT_ZH,
    ("tool", False): TOOL_EN,
    ("tool", True): TOOL_ZH,
    ("pot", False): TOOL_EN,  # one instruction is published for programs, whether or not the model sees their output
    ("pot", True): TOOL_ZH,
    ("think", False): THINK_EN,
    ("think", True): THINK_ZH,
}


def instruct(question: str, mode: Mode = "cot") -> str:
    """Adds the paper's instruction to a question, in Chinese when the question has a Chinese character in it.

    Args:
        question (`str`):
            The question; white space around it is dropped, as the harness does.
        mode (`str`, *optional*, defaults to `"cot"`):
            `"cot"` for chain of thought, `"tool"` for reasoning mixed with programs, `"pot"` for a program alone (the
            instruction of `"tool"`: DeepSeekMath publishes one for both), `"think"` for reasoning between `<think>` and
            `</think>`, as DeepSeek-R1-Zero writes it (not the paper's; words of our own).

    Returns:
        `str`: the content of the user's message.
    """
    question = question.strip()
    return question + _INSTRUCTIONS[mode, is_chinese(question)]
