import concurrent.futures

import pytest
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf
from scripts import finish, start
from sweep_folders import SWEEP, job_of, rows

from litlab.errors import SweepStopped, Terminated
from litlab.machine import cores
from litlab.sweeps import jobs_at_once, launcher_name, needs_extra, print_report
from litlab.sweeps.launchers import ResilientLauncher
from litlab.sweeps.optuna import OptunaSweeper
from litlab.sweeps.stopping import ran_again


@pytest.mark.slow
def test_two_jobs_at_once_give_the_same_numbers(swept, tmp_path):
    arguments = [*SWEEP, "optimizer.lr=0.0001,0.003", "seed=1,2", "threads=1"]
    engine = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = finish(start("train.py", *arguments, *engine, folder=tmp_path), tmp_path)
    assert done.status == 0, done.err
    serial = {row["folder"]: row["objective"] for row in rows(swept.folder) if row["status"] == "completed"}
    assert {row["folder"]: row["objective"] for row in rows(tmp_path)} == serial
    assert "epoch 1/" not in done.out, "the lines of jobs would mix"
    assert "epoch 1/" in (tmp_path / "runs/s/optimizer.lr=0.003,seed=1/train.log").read_text()


def test_joblibs_own_number_of_jobs_is_one_a_core():
    assert OptunaSweeper(n_trials=100, n_jobs=-1).n_jobs == cores() >= 1


@pytest.mark.parametrize(
    ("argument", "said", "environment"),
    [
        ("hydra.sweep.subdir=${hydra.job.num}/x", "no / in it", {}),
        ("hydra/launcher=joblib", "not under torchrun or srun", {"RANK": "0", "WORLD_SIZE": "1"}),
    ],
)
@pytest.mark.slow
def test_a_sweep_that_cannot_be_run_is_refused_in_a_line(argument, said, environment, train, tmp_path):
    done = train(*SWEEP[:-1], "optimizer.lr=0.1,0.2", argument, **environment)
    assert done.status == 2
    assert done.err.startswith(f"error: {argument}: {said}")
    assert len(done.err.splitlines()) == 1
    assert not list(tmp_path.glob("runs/*/*"))


def test_a_launcher_has_a_name_and_may_have_to_be_installed():
    hydra = OmegaConf.create(
        {"launcher": {"_target_": "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"}}
    )
    assert launcher_name(hydra) == "Joblib"
    assert needs_extra("submitit_local") == 'hydra/launcher=submitit_local: pip install -e ".[slurm]" first'
    assert (jobs_at_once(None), jobs_at_once(3), jobs_at_once(-1), jobs_at_once("auto")) == (1, 3, cores(), cores())


class JoblibLauncher(Launcher):
    """Stands for joblib's: a killed process ends all that run beside it. Four jobs run at once."""

    def __init__(self, kills, folder):
        self.kills, self.folder, self.launched = kills, folder, []

    def setup(self, **_):
        """Needs nothing."""

    def launch(self, job_overrides, initial_job_idx):
        self.launched.append([job for (job,) in job_overrides])
        for job in self.launched[-1][:4]:
            if not (self.folder / job).exists():
                job_of(self.folder, job, [job])
        if self.kills & set(self.launched[-1]):
            raise concurrent.futures.BrokenExecutor("a process was killed")
        return [
            JobReturn(overrides=list(job), status=JobStatus.COMPLETED, _return_value=job[0]) for job in job_overrides
        ]


def test_jobs_that_ran_beside_a_killed_one_run_again_one_by_one(tmp_path, capsys):
    begun = JoblibLauncher({"seed=2"}, tmp_path)
    launcher = ResilientLauncher(begun, tmp_path)
    returned = launcher.launch([[f"seed={number}"] for number in range(6)], initial_job_idx=0)
    assert [job.overrides for job in returned if job.overrides] == [[f"seed={n}"] for n in (0, 1, 3, 4, 5)]
    assert returned[2].overrides is None
    assert launcher.lost == 1
    assert begun.launched == [
        [f"seed={number}" for number in range(6)],
        *([f"seed={number}"] for number in range(4)),
        ["seed=4", "seed=5"],
    ]
    assert capsys.readouterr().err.count("warning: the process of a job has died: a process was killed") == 2


def test_a_sweep_that_a_signal_has_stopped_does_not_run_jobs_again(tmp_path):
    (tmp_path / ".stopped").write_text("143")
    begun = JoblibLauncher({"seed=0"}, tmp_path)
    with pytest.raises(SweepStopped) as stopped:
        ResilientLauncher(begun, tmp_path).launch([["seed=0"]], initial_job_idx=0)
    assert (stopped.value.status, len(begun.launched)) == (143, 1)


def test_jobs_that_went_down_with_the_gpu_run_again_alone(tmp_path, capsys):
    """Those with an error of their own do not, and none without MPS."""
    jobs = [[f"seed={number}"] for number in range(3)]
    errors = ["RuntimeError: CUDA error: unspecified launch failure", "the loss became NaN", "AcceleratorError: x"]
    for (override,), error in zip(jobs, errors, strict=True):
        job_of(tmp_path, override, [override], status="failed", error=error)
    for has_daemon, launched in ((False, [3]), (True, [3, 1, 1])):
        chosen = JoblibLauncher(kills=set(), folder=tmp_path)
        chosen.has_daemon = has_daemon
        returned = ResilientLauncher(chosen, tmp_path).launch(jobs, 0)
        assert [len(batch) for batch in chosen.launched] == launched
        assert len(returned) == 3
    assert chosen.launched[1:] == [["seed=0"], ["seed=2"]]
    assert ran_again(tmp_path) == ["seed=0", "seed=2"]
    assert "seed=2 ended with an error of the GPU: it runs again, alone" in capsys.readouterr().err
    print_report(tmp_path)
    assert "run again     seed=0  alone" in capsys.readouterr().out


@pytest.mark.slow
def test_a_line_says_which_job_is_next_and_the_layers_are_printed_once(train_here):
    quick = ["data=mnist_sample", "trainer=cpu", "data.train_limit=64", "trainer.max_epochs=1", "logger=none"]
    done = train_here("-m", *quick, "model=mlp", "optimizer.lr=0.1,0.2", "test=false")
    assert done.status == 0, done.err
    jobs = [line for line in done.out.splitlines() if line.startswith("job ")]
    assert jobs == ["job 1 of 2: optimizer.lr=0.1", "job 2 of 2: optimizer.lr=0.2"]
    assert done.out.count("parameters") == 1
    assert "HYDRA" not in done.out


class BasicLauncher(Launcher):
    """Stands for Hydra's own, which runs one job after the other."""

    def setup(self, **_):
        """Needs nothing."""

    def launch(self, job_overrides, initial_job_idx):
        return [JobReturn(status=JobStatus.COMPLETED) for _ in job_overrides]


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, Terminated])
def test_a_job_that_is_stopped_before_hydra_has_called_it_leaves_no_folder(tmp_path, stopped):
    class AboutToBegin(BasicLauncher):
        def launch(self, job_overrides, initial_job_idx):
            job_of(tmp_path, "seed=2", ["seed=2"])
            raise stopped

    AboutToBegin.__name__ = "BasicLauncher"
    job_of(tmp_path, "seed=1", ["seed=1"])  # was killed, in an earlier start
    with pytest.raises(stopped):
        ResilientLauncher(AboutToBegin(), tmp_path).launch([["seed=2"]], initial_job_idx=1)
    assert [path.name for path in tmp_path.iterdir()] == ["seed=1"]


def test_a_job_that_is_launched_alone_is_named_by_what_is_swept(tmp_path, capsys):
    """A later wave of `prune=asha` may have one job, and so may a batch of `max_batch_size=1`."""
    launcher = ResilientLauncher(BasicLauncher(), tmp_path, {"data", "model.name"})
    launcher.launch([["data=mnist", "+model.name=x", "optimizer.lr=0.1", "optimizer.nesterov=True"]], 3)
    assert capsys.readouterr().out == "job 4 of 4: optimizer.lr=0.1 optimizer.nesterov=true\n"
