"""The outer loop of Algorithm 1, and its state on disk."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..data.journal import differing, lock, write_whole
from ..errors import ConfigError
from .config import IterateConfig
from .phases import annotate_phase, grpo_phase, prm_phase, replay_phase

PHASES = ("grpo", "annotate", "replay", "prm")


@dataclass
class State:
    """Where a run is.

    Attributes:
        settings (`dict`):
            The configuration of the run, less the number of iterations, which may be raised.
        iteration (`int`):
            Iteration under way, from 1.
        phase (`str`):
            Phase under way.
        policy, prm (`str`):
            The newest models.
    """

    settings: dict[str, Any]
    iteration: int
    phase: str
    policy: str
    prm: str


def iterate(config: IterateConfig) -> State:
    """
    Runs Algorithm 1, or goes on with it where it was stopped.

    In each iteration the policy is trained from the policy of the last one, which is therefore the reference of its KL
    term; the new policy solves training problems and labels its steps by rollouts; the reward model is continued on
    these labels and a share of earlier ones. Optimizers start afresh in each iteration.

    Args:
        config ([`IterateConfig`]):
            Configuration.

    Returns:
        [`State`]: the state at the end; `policy` and `prm` are the trained models.

    Raises:
        ConfigError: the folder holds a run with other settings.
        PhaseError: a phase failed; what it said stands above.

    Source: Algorithm 1 and §4.1.4.
    """
    root = Path(config.output_dir)

    def waiting() -> None:
        print(f"waiting     another run in {root}, or a phase that outlived it, is still at work", flush=True)

    # A phase holds the lock as well, since it lives on when this process alone is killed.
    with lock(root / "lock", wait=waiting) as held:
        state = _read_state(config, root / "state.json")
        while state.iteration <= config.iterations:
            print(f"iteration   {state.iteration} of {config.iterations}: {state.phase}", flush=True)
            _run_phase(config, state, root, held.fileno())
            last = state.phase == PHASES[-1]
            state.phase = PHASES[0] if last else PHASES[PHASES.index(state.phase) + 1]
            state.iteration += last
            _write_state(state, root / "state.json")
    print(f"finished    policy {state.policy}, reward model {state.prm}", flush=True)
    return state


def _run_phase(config: IterateConfig, state: State, root: Path, lock: int) -> None:
    """Runs the phase that the state names. Each can be run again after a kill and ends the same."""
    folder = root / f"iteration-{state.iteration}"
    # The same seed in each iteration would draw the same problems in the same order.
    seed = config.seed + state.iteration
    if state.phase == "grpo":
        state.policy = grpo_phase(config.grpo, folder / "grpo", seed, state.policy, state.prm, lock)
    elif state.phase == "annotate":
        annotate_phase(config.annotate, folder / "labels", seed, state.policy, lock)
    elif state.phase == "replay":
        earlier = [root / f"iteration-{number}" / "labels" / "train.jsonl" for number in range(1, state.iteration)]
        if config.replay_from:
            earlier.insert(0, Path(config.replay_from))
        share = config.replay_fraction
        replay_phase(folder / "labels" / "train.jsonl", earlier, share, seed, folder / "mixed" / "train.jsonl")
    else:
        state.prm = prm_phase(config.prm, folder / "prm", seed, folder / "mixed", state.prm, lock)


def _read_state(config: IterateConfig, path: Path) -> State:
    """The state of the run in this folder, or that of a new one.

    Raises:
        ConfigError: the run in this folder has other settings.
    """
    # Through JSON, so that what was read and what is given are equal where they mean the same.
    settings = json.loads(json.dumps({**asdict(config), "output_dir": os.path.abspath(config.output_dir)}))
    del settings["iterations"]  # a finished run goes on with more of them
    new = State(settings, 1, PHASES[0], config.model_name_or_path, config.prm_name_or_path)
    try:
        state = State(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else new
    except (ValueError, TypeError) as error:  # edited by hand
        raise ConfigError(f"{path} is not the state of a run: {error}. Mend it, or set another output_dir.") from error
    first = (state.iteration, state.phase) == (new.iteration, new.phase)
    if first and not any(path.parent.glob("iteration-1/grpo/checkpoint-*")):
        # Nothing is done yet, perhaps because the first stage failed: its settings may be mended.
        _write_state(new, path)
        return new
    if other := differing(state.settings, settings):
        raise ConfigError(
            f"{path.parent} holds a run with other settings: {other}. Go on with its own settings, or give this "
            "run another output_dir. A change that you know to be harmless (a batch that fits) you can make in `settings` "
            f"of {path.name} as well."
        )
    return state


def _write_state(state: State, path: Path) -> None:
    write_whole(path, json.dumps(asdict(state), indent=2) + "\n")
