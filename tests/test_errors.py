"""The near names of a message, and what is said where a package of an extra is absent."""

import pytest

from trl_dsmath.errors import MissingDependencyError, did_you_mean, need


def test_near_names() -> None:
    known = ["boxed_accuracy_reward", "boxed_format_reward", "accuracy_reward"]
    assert did_you_mean("boxed_acuracy_reward", known) == " Did you mean boxed_accuracy_reward?"
    assert did_you_mean("boxed_acuracy_reward", known, most=2) == (
        " Did you mean boxed_accuracy_reward or accuracy_reward?"
    )
    assert did_you_mean("length", known) == ""
    # "abcd" and "abxy" have 2 x 2 of 8 characters in common
    assert did_you_mean("abcd", ["abxy"]) == ""
    assert did_you_mean("abcd", ["abxy"], cutoff=0.5) == " Did you mean abxy?"


def test_a_package_of_an_extra_is_asked_for_with_the_command_that_installs_it() -> None:
    need("json", "Files", "peft")
    with pytest.raises(MissingDependencyError) as told:
        need("no_such_module", "LoRA adapters", "peft")
    assert str(told.value) == "LoRA adapters need no_such_module: pip install 'trl-dsmath[peft]'"
