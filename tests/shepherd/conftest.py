"""A model that writes solutions, few of them right."""

from typing import Any

import pytest


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Folder of the quickstart's model after a few seconds of training: it writes solutions, few of them right."""
    import torch
    from model import make_model, make_tokenizer
    from task import SloppyAuthor, make_problems

    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer, seed=0)
    author = SloppyAuthor(0, "sft")
    problems = make_problems(16 * 80, 0, "sft")
    texts = [problem.prompt + author.solve(problem) + "<eos>" for problem in problems]
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for begin in range(0, len(texts), 16):
        batch = tokenizer(texts[begin : begin + 16], padding=True, return_tensors="pt", return_token_type_ids=False)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        model(**batch, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = tmp_path_factory.mktemp("policy")
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
