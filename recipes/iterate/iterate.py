"""Iterative GRPO: policy and reward model trained in turns (DeepSeekMath, Algorithm 1, section 4.1.4).

    python iterate.py --config cpu
    python iterate.py --config paper --grpo.num_processes 8 --prm.num_processes 8

The sections `grpo`, `annotate` and `prm` of the YAML files hold settings of those scripts, which run as processes of their
own; `--grpo.max_steps 5` overrides one. The state is on disk: the same command goes on after a stop.
"""

import os

from trl_dsmath.errors import ConfigError
from trl_dsmath.iterate import IterateConfig, iterate
from trl_dsmath.scripts import ScriptParser, run_script

ARGUMENTS = (IterateConfig,)


def main() -> None:
    (config,) = ScriptParser(ARGUMENTS).parse_args_and_config()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "The loop is one process and starts those of its stages: give --grpo.num_processes and --prm.num_processes "
            "instead of a launcher."
        )
    iterate(config)


if __name__ == "__main__":
    run_script(main)
