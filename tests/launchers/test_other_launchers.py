"""Sweeps on the real engines: Optuna, submitit (in place of SLURM) and Ray.

pip install -e ".[optuna,slurm,ray]" && pytest -n 2 --dist loadgroup -m slow tests/launchers
"""

import csv
import json
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from faults.harness import PATHS, contents
from mps_stand_in import ended
from scripts import finish, start

pytestmark = pytest.mark.slow

SWEEP = [
    *("-m", "data=mnist_sample", "trainer=cpu", "model=mlp", "model.hidden=[50]", "data.train_limit=640", "threads=1"),
    *("trainer.max_epochs=3", "callbacks.model_summary.enabled=false", "hydra.sweep.dir=s"),
]
LR = "optimizer.lr=tag(log, interval(1e-4, 1))"
OPTUNA = ["hydra/sweeper=optuna", LR]


def sweep(folder: Path, *arguments: str):
    folder.mkdir(exist_ok=True)
    return finish(start("train.py", *SWEEP, *arguments, folder=folder), folder)


def table(folder: Path) -> list[dict[str, str]]:
    """`sweep.csv` without what depends on the clock, and on what was said of it."""
    with (folder / "s/sweep.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def trials(folder: Path) -> list[tuple]:
    """Every trial of the study: its state, parameters and value."""
    with sqlite3.connect(folder / "s/study.db") as study:
        return study.execute(
            "select number, state, param_value, value from trials left join trial_params using (trial_id) "
            "left join trial_values using (trial_id) order by number"
        ).fetchall()


def wait_for(found, process):
    deadline = time.monotonic() + 240  # a busy machine may take a minute to start Python with torch
    while not found():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    pytest.importorskip("optuna")
    folder = tmp_path_factory.mktemp("optuna")
    return sweep(folder, *OPTUNA, *PRUNE)


PRUNE = ["hydra.sweeper.n_trials=8", "hydra.sweeper.prune=true", "hydra.sweeper.prune_after_trials=2"]


@pytest.mark.xdist_group("one study")
def test_optuna_prunes_and_reports(pruned):
    assert pruned.status == 0, pruned.err
    rows = table(pruned.folder)
    found = {row["status"] for row in rows}
    assert found == {"completed", "pruned"}
    assert len(rows) == 8
    assert rows[0]["status"] == "completed"
    assert all(1e-4 <= float(row["optimizer.lr"]) <= 1 for row in rows)
    assert max(len(row["folder"]) for row in rows) < 30
    hopeless = next(row for row in rows if row["status"] == "pruned")
    assert (pruned.folder / f"s/{hopeless['folder']}/checkpoints/best.ckpt").exists()
    assert hopeless["test/acc"] == ""
    completed = sum(row["status"] == "completed" for row in rows)
    assert f"{completed} of 8 jobs completed, {8 - completed} pruned" in pruned.out
    assert str(pruned.folder).encode() not in (pruned.folder / "s/study.db").read_bytes()


@pytest.mark.xdist_group("one study")
def test_optuna_goes_on_from_its_study_as_if_it_had_not_been_killed(pruned, tmp_path):
    """Killed in the middle of the third job, of the sixth, and with two trials to go."""
    folder = tmp_path / "killed"
    folder.mkdir()
    arguments = [*SWEEP, *OPTUNA, *PRUNE, "checkpoint.every_n_steps=3"]
    for jobs in (3, 6):
        process = start("train.py", *arguments, folder=folder)
        wait_for(lambda jobs=jobs: len(list(folder.glob("s/*/checkpoints/last.ckpt"))) == jobs, process)
        process.kill()
        process.communicate()
    short = sweep(folder, *OPTUNA, *PRUNE, "hydra.sweeper.n_trials=7", "checkpoint.every_n_steps=3")
    assert short.status == 0, short.err
    done = sweep(folder, *OPTUNA, *PRUNE, "checkpoint.every_n_steps=3")
    assert done.status == 0, done.err
    assert trials(folder) == trials(pruned.folder)
    assert table(folder) == table(pruned.folder)
    assert "Launching" not in sweep(folder, *OPTUNA, *PRUNE).out  # nothing is left to do


@pytest.mark.xdist_group("one study")
def test_optuna_refuses_another_config_with_the_difference(pruned):
    before = trials(pruned.folder)
    lr = "FloatDistribution(high=1.0, log=True, low=0.0001, step=None)"
    for change, said in [
        (["data.batch_size=32"], "s: data.batch_size was 64, which is now 32: use another hydra.sweep.dir"),
        (["seed=1,2"], "s: seed is searched now, and was not before"),
        (["optimizer.lr=0.1,0.2"], f"s: optimizer.lr was {lr}, now CategoricalDistribution"),
    ]:
        done = sweep(pruned.folder, *OPTUNA, *PRUNE, *change)
        assert done.status == 2, done.out
        assert said in done.err
        assert len(done.err.splitlines()) == 1
    assert trials(pruned.folder) == before


def test_optuna_with_joblib_and_failing_trials(tmp_path):
    pytest.importorskip("optuna")
    pytest.importorskip("joblib")
    arguments = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "hydra/launcher=joblib"]  # whose n_jobs is -1
    done = sweep(tmp_path, *arguments, "optimizer.lr=0.001,1e30", "model.hidden=[20],[30]", "trainer.max_epochs=1")
    assert done.status == 1, done.err
    states = [state for _, state, *_ in trials(tmp_path)]
    assert len(trials(tmp_path)) == 12  # two settings each
    assert set(states) == {"COMPLETE", "FAIL"}
    rows = table(tmp_path)
    assert {row["status"] for row in rows} == {"completed", "failed"}
    assert len(rows) <= 4  # the same choice twice is one job


JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]


def workers_in(folder: Path) -> list[int]:
    """joblib's processes that work in `folder`."""
    return [process for process, line in contents(folder, "cmdline") if "LokyProcess" in line]


@pytest.mark.parametrize("sweeper", [[], ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=4"]], ids=["grid", "optuna"])
def test_a_job_whose_process_is_killed_takes_no_other_with_it(sweeper, tmp_path):
    """With it joblib ends all its processes; and what went over the memory once does so again."""
    pytest.importorskip("joblib")
    fault = "{_target_: faults.injected.SignalAt, signal_name: SIGKILL, step: %s}"
    faults = ",".join(fault % step for step in (15, 98, 99))  # jobs have 30 steps
    arguments = [*SWEEP, *JOBLIB, *sweeper, f"+callbacks.fault={faults}"]
    done = finish(start("train.py", *arguments, folder=tmp_path, **PATHS), tmp_path)
    assert done.status == 1, done.err
    assert "Traceback" not in done.err
    statuses = {"15" in row["folder"]: row["status"] for row in table(tmp_path)}
    assert statuses == {True: "killed", False: "completed"}
    assert len(table(tmp_path)) == 3
    if sweeper:
        assert {state for _, state, *_ in trials(tmp_path)} == {"COMPLETE", "FAIL"}


def test_a_signal_while_joblibs_processes_begin_stops_the_sweep_with_a_report(tmp_path):
    pytest.importorskip("joblib")
    process = start("train.py", *SWEEP, *JOBLIB, "optimizer.lr=0.001,0.01,0.1", folder=tmp_path)
    wait_for(lambda: workers_in(tmp_path), process)
    process.send_signal(signal.SIGTERM)
    done = finish(process, tmp_path)
    assert done.status == 143, done.err
    assert done.err.splitlines()[-1] == "interrupted: no job has begun"
    assert "Traceback" not in done.err


def test_a_signal_for_all_processes_saves_each_job_though_the_sweep_passes_it_on(tmp_path):
    """As `timeout` and the end of a terminal's session send it: to the sweep and to its workers."""
    pytest.importorskip("joblib")
    settings = [*JOBLIB, "optimizer.lr=0.001,0.01,0.1", "trainer.max_epochs=1000"]
    process = start("train.py", *SWEEP, *settings, folder=tmp_path, new_group=True)
    wait_for(lambda: len(list(tmp_path.glob("s/*/checkpoints/last.ckpt"))) == 2, process)
    os.killpg(process.pid, signal.SIGINT)
    done = finish(process, tmp_path)
    assert done.status == 130, done.err
    assert [row["status"] for row in table(tmp_path)] == ["interrupted"] * 2


def test_joblibs_processes_end_with_a_sweep_that_is_killed(tmp_path):
    pytest.importorskip("joblib")
    process = start("train.py", *SWEEP, *JOBLIB, "optimizer.lr=0.001,0.01", "trainer.max_epochs=1000", folder=tmp_path)
    wait_for(lambda: len(list(tmp_path.glob("s/*/checkpoints/last.ckpt"))) == 2, process)
    process.kill()
    deadline = time.monotonic() + 30
    while workers_in(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    results = [json.loads(path.read_text())["status"] for path in tmp_path.glob("s/*/result.json")]
    assert results == ["interrupted"] * 2
    process.communicate()


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT, None], ids=["killed", "ctrl-c", "at its end"])
def test_the_mps_daemon_of_a_sweep_ends_with_it(signum, tmp_path, control):
    """A program stands for NVIDIA's. The jobs run on the CPU."""
    pytest.importorskip("joblib")
    epochs = "trainer.max_epochs=1000" if signum else "trainer.max_epochs=1"
    settings = [*JOBLIB, "hydra.launcher.mps=true", "optimizer.lr=0.001,0.01", epochs]
    process = start("train.py", *SWEEP, *settings, folder=tmp_path)
    if signum:
        wait_for(lambda: list(tmp_path.glob("s/*/checkpoints/last.ckpt")), process)
        assert control.read_text().startswith("start")
        process.send_signal(signum)
    process.communicate()
    assert process.returncode == {signal.SIGKILL: -9, signal.SIGINT: 130, None: 0}[signum]
    assert ended(control)


def test_a_sweep_that_is_started_twice_at_once_trains_each_job_once(tmp_path):
    both = [start("train.py", *SWEEP, "optimizer.lr=0.001,0.01", folder=tmp_path) for _ in range(2)]
    done = [finish(process, tmp_path) for process in both]
    assert [one.status for one in done] == [0, 0], [one.err for one in done]
    assert sum(one.out.count("completed after") for one in done) == 2
    assert all("2 of 2 jobs completed" in one.out for one in done)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("optimizer.lr=interval(-1,0.1)", "optimizer.lr=-1: must be greater than 0"),
        ("optimizer.momentum=interval(0.5,2) optimizer=sgd", "optimizer.momentum=2: must be at least 0 and at most 1"),
        ("data.batch_size=64,x", "data.batch_size=x: must be a number"),
    ],
)
def test_a_value_that_no_trial_could_have_is_found_before_the_first(space, message, tmp_path):
    pytest.importorskip("optuna")
    arguments = [*SWEEP, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", *space.split()]
    done = finish(start("train.py", *arguments, folder=tmp_path), tmp_path)
    assert (done.status, done.err) == (2, f"error: {message}\n")
    assert not (tmp_path / "s").exists()


def test_an_objective_may_be_searched_and_an_interval_may_begin_at_a_bound(tmp_path):
    pytest.importorskip("optuna")
    space = ["objective=val/acc,val/loss", "objective_mode=max", "optimizer.lr=interval(0,0.01)"]
    arguments = [*SWEEP, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "trainer.max_epochs=1", *space]
    done = finish(start("train.py", *arguments, folder=tmp_path), tmp_path)
    assert done.status == 0, done.err


def test_a_combination_that_optuna_cannot_compose_is_a_failed_trial(tmp_path):
    pytest.importorskip("optuna")
    space = ["model=lenet5,mlp", "model.hidden=[20],[30]"]  # lenet5 has no model.hidden
    base = [argument for argument in SWEEP if not argument.startswith("model")]
    arguments = [*base, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "trainer.max_epochs=1", *space]
    done = finish(start("train.py", *arguments, folder=tmp_path), tmp_path)
    assert done.status == 1, done.err
    states = {number: state for number, state, *_ in trials(tmp_path)}
    assert len(states) == 6
    assert set(states.values()) == {"COMPLETE", "FAIL"}
    for row in table(tmp_path):
        assert row["status"] == ("failed" if row["model"] == "lenet5" else "completed")
        assert row["model"] == "mlp" or row["error"] == "Could not override 'model.hidden'."
    again = finish(start("train.py", *arguments, folder=tmp_path), tmp_path)
    assert (again.status, "Launching" in again.out) == (1, False)  # no trial is left begun


def test_submitit_queues_a_preempted_job_again_and_it_goes_on(tmp_path):
    pytest.importorskip("submitit")
    arguments = ["hydra/launcher=submitit_local", "optimizer.lr=0.001,1e30", "trainer.max_epochs=25"]
    undisturbed = sweep(tmp_path / "peace", "optimizer.lr=0.001,1e30", "trainer.max_epochs=25")
    assert undisturbed.status == 1
    folder = tmp_path / "preempted"
    folder.mkdir()
    process = start("train.py", *SWEEP, *arguments, folder=folder)
    job = folder / "s/optimizer.lr=0.001"
    wait_for(lambda: (job / "checkpoints/previous.ckpt").exists(), process)
    os.kill(worker_of(job), signal.SIGUSR2)
    done = finish(process, folder)
    assert done.status == 1, done.err
    said = "".join(path.read_text() for path in folder.glob("s/.submitit/*/*.out"))
    assert "optimizer.lr=0.001: going on from last.ckpt" in said
    assert table(folder) == table(tmp_path / "peace")


def worker_of(job: Path) -> int:
    """The process that holds the files of a job open."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()).startswith(str(job)) for link in (process / "fd").iterdir()):
                return int(process.name)
        except OSError:
            continue
    raise AssertionError(f"nobody works in {job}")


RAY = ["hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=1"]
SUBMITIT = ["hydra/launcher=submitit_local"]


@pytest.mark.parametrize("group", [True, False], ids=["to all processes", "to the sweep alone"])
@pytest.mark.parametrize(
    ("engine", "settings", "begun"),
    [
        pytest.param("ray", RAY, 1, id="ray", marks=pytest.mark.xdist_group("ray")),
        pytest.param("submitit", SUBMITIT, 2, id="submitit"),
        pytest.param("submitit", [*SUBMITIT, "trainer=ddp_cpu"], 2, id="submitit, two processes a job"),
    ],
)
def test_ctrl_c_saves_the_jobs_of_other_processes_and_begins_no_more(engine, settings, begun, group, tmp_path):
    pytest.importorskip(engine)
    settings = [*settings, "optimizer.lr=0.001,0.01", "trainer.max_epochs=1000"]
    process = start("train.py", *SWEEP, *settings, folder=tmp_path, new_group=True)
    wait_for(lambda: len(list(tmp_path.glob("s/*/checkpoints/last.ckpt"))) == begun, process)
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    done = finish(process, tmp_path)
    assert done.status == 130, done.err
    assert "Traceback" not in done.out + done.err
    rows = table(tmp_path)
    assert [(row["status"], row["error"]) for row in rows] == [("interrupted", "stopped by SIGINT")] * begun
    assert all(float(row["objective"]) > 0 for row in rows)
    assert f"0 of 2 jobs completed{', 1 not begun' if begun == 1 else ''}\n" in done.out
    kept = {path.name for path in tmp_path.glob("s/*/checkpoints/*")}
    assert kept <= {"best.ckpt", "last.ckpt", "previous.ckpt"}


@pytest.mark.xdist_group("ray")
def test_a_job_of_ray_that_does_not_save_is_killed_at_a_second_ctrl_c_and_reported_so(tmp_path):
    pytest.importorskip("ray")
    settings = [*RAY, "optimizer.lr=0.001,0.01", "trainer.max_epochs=1000"]
    process = start("train.py", *SWEEP, *settings, folder=tmp_path)
    job = tmp_path / "s/optimizer.lr=0.001"
    wait_for((job / "checkpoints/last.ckpt").exists, process)
    os.kill(worker_of(job), signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    wait_for((tmp_path / "s/.save").exists, process)
    process.send_signal(signal.SIGINT)
    done = finish(process, tmp_path)
    assert done.status == 130, done.err
    assert [row["status"] for row in table(tmp_path)] == ["killed"]
    assert "Traceback" not in done.out + done.err


@pytest.mark.parametrize(
    ("engine", "settings"),
    [pytest.param("ray", RAY, marks=pytest.mark.xdist_group("ray")), ("submitit", SUBMITIT)],
    ids=["ray", "submitit"],
)
def test_a_job_that_imports_torch_at_ctrl_c_has_not_begun(engine, settings, tmp_path):
    pytest.importorskip(engine)
    process = start("train.py", *SWEEP, *settings, "optimizer.lr=0.001,0.01", folder=tmp_path, new_group=True)
    wait_for(lambda: list(tmp_path.glob("s/*/.hydra/hydra.yaml")), process)
    os.killpg(process.pid, signal.SIGINT)
    done = finish(process, tmp_path)
    assert done.status == 130, done.err
    assert done.err.splitlines()[-1] == "interrupted: no job has begun"
    assert "Traceback" not in done.out + done.err
    assert not list(tmp_path.glob("s/optimizer*"))


@pytest.mark.xdist_group("ray")  # one after the other: each starts servers
def test_ray_runs_the_jobs_and_a_failing_one_is_a_row(tmp_path):
    pytest.importorskip("ray")
    done = sweep(tmp_path, "hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2", "optimizer.lr=0.001,1e30")
    assert done.status == 1, done.err
    assert [row["status"] for row in table(tmp_path)] == ["completed", "failed"]
    alone = finish(
        start("train.py", *SWEEP[1:-1], "optimizer.lr=0.001", "hydra.run.dir=alone", folder=tmp_path), tmp_path
    )
    assert alone.status == 0, alone.err
    expected = json.loads((tmp_path / "alone/result.json").read_text())["metrics"]
    assert json.loads((tmp_path / "s/optimizer.lr=0.001/result.json").read_text())["metrics"] == expected
