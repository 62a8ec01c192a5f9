"""A function over shards: the same results here, in processes, on Ray and through Slurm's jobs, and none is computed twice."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("datatrove")

from trl_dsmath.corpus import execution
from trl_dsmath.corpus.execution import Execution, map_shards
from trl_dsmath.errors import DataError

SBATCH = """#!/bin/bash
for last; do :; done
echo job >> $FAKE/jobs
export SLURM_NODELIST=node1
if grep -q launch_pickled "$last"; then
  array=$(sed -n 's/#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$last")
  for task in $(seq 0 $array); do SLURM_ARRAY_TASK_ID=$task RUN_OFFSET=0 bash "$last" >> $FAKE/log 2>&1; done
fi
echo "Submitted batch job 7"
"""
SRUN = '#!/bin/bash\nwhile [ "$1" != launch_pickled_pipeline ]; do shift; done\nexec "$PYTHON" -m datatrove.tools.$1 "$2"\n'


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_and_are_kept(tmp_path: Path, workers: int) -> None:
    execution = Execution(workers=workers)
    assert list(map_shards(partial(pow, 3), tmp_path, [2, 0, 1], execution)) == [9, 1, 3]
    # What is there is not computed again: this function would give other results.
    assert list(map_shards(partial(pow, 5), tmp_path, [0, 1, 2, 3], execution)) == [1, 3, 9, 125]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_shard_is_the_callers(tmp_path: Path, workers: int) -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_shards(partial(divmod, 1), tmp_path, [2, 0], Execution(workers=workers)))


@pytest.mark.slow
def test_ray_gives_the_same_and_says_what_failed(ray_with_two_workers: None, tmp_path: Path) -> None:
    execution = Execution("ray", tasks=2, workers=2)
    assert list(map_shards(partial(pow, 3), tmp_path / "a", [2, 0, 1], execution)) == [9, 1, 3]
    with pytest.raises(DataError, match=r"1 of 2 shards failed \(first: 0\)"):
        list(map_shards(partial(divmod, 1), tmp_path / "b", [1, 0], execution))


@pytest.mark.slow
def test_slurm_runs_a_job_array_and_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sbatch` here runs the job array at once, `srun` starts its task, and `squeue` says that nothing is left."""
    (tmp_path / "bin").mkdir()
    commands = {"sbatch": SBATCH, "srun": SRUN, "squeue": "#!/bin/bash\n", "scontrol": "#!/bin/bash\necho node1\n"}
    for name, text in commands.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("FAKE", str(tmp_path))
    monkeypatch.setenv("PYTHON", sys.executable)
    execution = Execution("slurm", tasks=2, options={"partition": "cpu", "time": "01:00:00"})
    assert list(map_shards(partial(pow, 3), tmp_path / "parts" / "a", [2, 0, 1], execution)) == [9, 1, 3]
    assert list(map_shards(partial(pow, 5), tmp_path / "parts" / "a", [2, 0, 1], execution)) == [9, 1, 3]
    assert (tmp_path / "jobs").read_text().count("job") == 2  # the array and datatrove's merge of its statistics
    with pytest.raises(DataError, match=r"1 of 2 shards failed \(first: 0\)"):
        list(map_shards(partial(divmod, 1), tmp_path / "parts" / "b", [1, 0], execution))


def test_results_of_many_shards_come_merged_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_GROUP", 2)
    numbers, merge = range(5), list.extend
    found = list(map_shards(partial(list.__mul__, ["x"]), tmp_path, numbers, Execution(), merge))
    # 0 to 4 words: (0, 1), (2, 3), (4) make 1, 5, 4; then (1, 5), (4) make 6 and 4
    assert [len(part) for part in found] == [6, 4]
