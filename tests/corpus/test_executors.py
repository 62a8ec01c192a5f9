"""A function over shards: the same results here, in processes and through Slurm's jobs, and none is computed twice."""

import os
import pickle
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("datatrove")

from trl_dsmath.corpus import execution
from trl_dsmath.corpus.execution import Execution, children_end_with_parent, make_executor, map_shards, merge_shards
from trl_dsmath.errors import DataError, MissingDependencyError

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
    assert list(map_shards(partial(pow, 7), tmp_path, [3, 1], execution)) == [125, 3]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_shard_is_the_callers(tmp_path: Path, workers: int) -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_shards(partial(divmod, 1), tmp_path, [2, 0], Execution(workers=workers)))


@pytest.mark.slow
def test_slurm_runs_a_job_array_and_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sbatch` here runs the job array at once, `srun` starts its task, and `squeue` says once that the job is left."""
    (tmp_path / "bin").mkdir()
    commands = {
        "sbatch": SBATCH,
        "srun": SRUN,
        "squeue": '#!/bin/bash\nrm $FAKE/busy && echo "$@" || echo\n',
        "scontrol": "#!/bin/bash\necho node1\n",
    }
    for name, text in commands.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("FAKE", str(tmp_path))
    monkeypatch.setenv("PYTHON", sys.executable)
    (tmp_path / "busy").touch()
    slept: list[float] = []
    monkeypatch.setattr("trl_dsmath.corpus.execution.time.sleep", slept.append)
    execution = Execution("slurm", tasks=2, options={"partition": "cpu", "time": "01:00:00"})
    assert list(map_shards(partial(pow, 3), tmp_path / "parts" / "a", [2, 0, 1], execution)) == [9, 1, 3]
    assert list(map_shards(partial(pow, 5), tmp_path / "parts" / "a", [2, 0, 1], execution)) == [9, 1, 3]
    assert (tmp_path / "jobs").read_text().count("job") == 2  # the array and datatrove's merge of its statistics
    assert slept == [15.0]  # while the queue held it
    with pytest.raises(DataError, match=r"1 of 2 shards failed \(first: 0\)"):
        list(map_shards(partial(divmod, 1), tmp_path / "parts" / "b", [1, 0], execution))


@pytest.mark.parametrize("running", [True, False])
def test_a_ray_that_runs_is_used_and_else_one_is_started(running: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict] = []
    ray = SimpleNamespace(is_initialized=lambda: running, init=lambda **options: started.append(options))
    monkeypatch.setitem(sys.modules, "ray", ray)
    made = make_executor(
        "a", [], 3, "logs", Execution("ray", workers=8, options={"cpus_per_task": 2}), skip_completed=False
    )
    assert started == ([] if running else [{"log_to_driver": False}])
    assert (type(made).__name__, made.tasks, made.workers) == ("RayPipelineExecutor", 3, 3)
    assert (made.cpus_per_task, made.skip_completed, made.depends) == (2, False, None)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install .* ray"):
        make_executor("a", [], 3, "logs", Execution("ray"))


def test_here_a_stage_has_as_many_workers_as_tasks_at_most() -> None:
    made = make_executor("a", [], 3, "logs", Execution(workers=2), depends="not asked")
    assert (type(made).__name__, made.tasks, made.workers, made.depends) == ("LocalPipelineExecutor", 3, 2, None)


def test_children_are_tied_to_a_run_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    def status_of_a_child() -> int:
        if (pid := os.fork()) == 0:
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    monkeypatch.setattr(execution, "end_with_parent", lambda: os._exit(7))
    with children_end_with_parent():
        assert status_of_a_child() == 7
    assert status_of_a_child() == 0
    with pytest.raises(ZeroDivisionError), children_end_with_parent():
        raise ZeroDivisionError
    assert status_of_a_child() == 0


def test_results_of_many_shards_come_merged_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_GROUP", 2)
    found = merge_shards(partial(list.__mul__, ["x"]), tmp_path, 5, Execution(), list.extend)
    # 0 to 4 words: (0, 1), (2, 3), (4) make 1, 5, 4; then (1, 5), (4) make 6 and 4, which this process adds up.
    assert found == ["x"] * 10
    groups = (tmp_path / "groups", tmp_path / "groups/groups")
    lengths = [[len(pickle.loads(path.read_bytes())) for path in sorted(folder.glob("*.pickle"))] for folder in groups]
    assert lengths == [[1, 5, 4], [6, 4]] and len(list(tmp_path.rglob("*.pickle"))) == 5 + 3 + 2
    assert merge_shards(partial(list.__mul__, ["x"]), tmp_path / "one", 2, Execution(), list.extend) == ["x"]
