"""How the jobs of a sweep are started, and what happens when the process of a job is killed."""

import contextlib
import importlib.util
import re
import shutil
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from litlab.console import say
from litlab.distributed.ranks import is_rank
from litlab.errors import SweepStopped, Terminated, one_line
from litlab.machine import cores
from litlab.runs import remove_if_unused
from litlab.sweeps.folders import subdir
from litlab.sweeps.jobs import jobs_in, key_of
from litlab.sweeps.overrides import as_typed
from litlab.sweeps.stopping import blocked_in_children, note_again, stopped_with
from litlab.sweeps.submitit import submitted

# What to install for a launcher: `pip install -e ".[joblib]"`.
EXTRAS = {"joblib": "joblib", "submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}
# The errors that launchers raise when the process of a job has died, by the modules that define them.
DIED = {
    "concurrent.futures": "BrokenExecutor",  # joblib
    "submitit.core.utils": "UncompletedJobError",
    "ray.exceptions": "WorkerCrashedError",
}
# What PyTorch says of a GPU that is lost, such as "CUDA error: The client process was terminated by the MPS server".
GPU_ERRORS = re.compile(r"CUDA error|CUDNN_STATUS|CUBLAS_STATUS|AcceleratorError")


def launcher_name(hydra: Any) -> str:
    """The name of a launcher: Basic (one job after the other, in this process), Joblib, Slurm, ..."""
    return str(hydra.launcher._target_).rpartition(".")[2].removesuffix("Launcher")


def check_launcher(hydra: Any) -> None:
    """Checks that the chosen launcher can work here, and that the folders of the jobs will be found again.

    Args:
        hydra: the part `hydra` of the config.

    Raises:
        HydraException: if something is wrong, in one line.
    """
    if "/" in subdir(hydra):
        raise HydraException(f"hydra.sweep.subdir={subdir(hydra)}: no / in it, all jobs are in hydra.sweep.dir itself")
    launcher = hydra.runtime.choices["hydra/launcher"]
    if is_rank() and launcher_name(hydra) != "Basic":
        raise HydraException(f"hydra/launcher={launcher}: not under torchrun or srun, whose processes share each job")
    if importlib.util.find_spec(".".join(hydra.launcher._target_.split(".")[:2])) is None:
        raise HydraException(needs_extra(launcher))
    if launcher_name(hydra) == "Slurm" and shutil.which("srun") is None:
        raise HydraException("hydra/launcher=submitit_slurm: no srun here; submitit_local does the same on one machine")


def needs_extra(launcher: str) -> str:
    """Says what to install for a launcher."""
    return f'hydra/launcher={launcher}: pip install -e ".[{EXTRAS[launcher]}]" first'


def jobs_at_once(n_jobs: int | str | None) -> int:
    """The number of jobs for a launcher's `n_jobs`: one for None, and a job for each core for joblib's own -1.

    For `auto`, too, if it must be known before the first job: Optuna chooses so many trials at once.
    """
    n_jobs = -1 if n_jobs == "auto" else int(n_jobs or 1)
    return cores() if n_jobs < 1 else n_jobs


def died() -> tuple[type[Exception], ...]:
    """The classes of `DIED`. A module that is not imported cannot have raised its error."""
    return tuple(getattr(sys.modules[module], name) for module, name in DIED.items() if module in sys.modules)


def is_gpu_error(result: Mapping[str, Any]) -> bool:
    """Whether a job failed with an error of the GPU, which may be that of another process."""
    return result.get("status") == "failed" and bool(GPU_ERRORS.search(result.get("error", "")))


def end_ray() -> None:
    """Ends the processes that Ray has started for this sweep. They would end right after its report, as `running`."""
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


class ResilientLauncher(Launcher):
    """Wraps a launcher, so that one killed job does not end the sweep.

    When the process of a job is killed, because memory ran out for example, joblib ends its other processes as well.
    The jobs that were running then run again one by one, so that a job which is killed again ends no other. The
    remaining jobs follow as before. With other launchers the other jobs are not affected.

    Args:
        launcher: the launcher that was chosen.
        folder: of the sweep.
        fixed: the settings that are the same in all jobs, which the line before a job leaves out.
    """

    def __init__(self, launcher: Launcher, folder: Path, fixed: Collection[str] = ()) -> None:
        self.launcher, self.folder, self.fixed = launcher, folder, fixed
        self.total: int | None = None  # all jobs of the sweep, for the line before each
        self.lost = 0  # jobs that returned nothing; some may not even have a folder

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.launcher.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs jobs as the launcher does. A job whose process was killed returns nothing, and has no `hydra_cfg`.

        Raises:
            SweepStopped: if a signal has stopped the sweep.
        """
        returned: dict[int, JobReturn] = {}  # by the place of the job in `job_overrides`
        todo = list(range(len(job_overrides)))
        while todo and not self._run(todo, job_overrides, initial_job_idx, returned):
            if type(self.launcher).__name__ != "JoblibLauncher":
                break
            alone = self._begun(todo, job_overrides)
            for number in alone:
                self._run([number], job_overrides, initial_job_idx, returned)
            todo = [number for number in todo if number not in alone]
        if getattr(self.launcher, "has_daemon", False):
            self._run_fallen_again(job_overrides, initial_job_idx, returned)
        lost = [number for number in range(len(job_overrides)) if number not in returned]
        self.lost += len(lost)
        return [returned.get(n) or JobReturn(status=JobStatus.COMPLETED) for n in range(len(job_overrides))]

    def _run(
        self, numbers: list[int], jobs: Sequence[Sequence[str]], first: int, returned: dict[int, JobReturn]
    ) -> bool:
        """Runs some of the jobs, and adds what they return; False if the process of one has died.

        Args:
            numbers: the places of these jobs in `jobs`.
            jobs: the overrides of all jobs.
            first: the number of the first of all jobs in the sweep.
            returned: what is returned, by place.
        """
        try:
            done = self._launch(numbers, jobs, first)
        except died() as error:
            if status := stopped_with(self.folder):
                raise SweepStopped(status) from None
            print(f"warning: the process of a job has died: {one_line(error)}", file=sys.stderr, flush=True)
            return False
        returned |= dict(zip(numbers, done, strict=True))
        return True

    def _launch(self, numbers: list[int], jobs: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
        """Gives jobs to the launcher. Where one runs after the other, a line says which is next."""
        if type(self.launcher).__name__ != "BasicLauncher":
            inner: Any = self.launcher
            inner.total = self.total  # joblib's has a line that counts the jobs of all batches
            # A terminal sends Ctrl-C to the processes of submitit too, which would kill their jobs a second later.
            # Ray's processes block SIGINT by themselves, SLURM's have no terminal, and joblib's launcher sees to it.
            is_local = type(inner).__name__ == "LocalLauncher"
            alone = blocked_in_children(signal.SIGINT) if is_local else contextlib.nullcontext()
            with submitted(getattr(self.launcher, "params", None), len(numbers)), alone:
                return self.launcher.launch([jobs[number] for number in numbers], initial_job_idx=first + numbers[0])
        common = set(jobs[0]).intersection(*jobs[1:]) if len(jobs) > 1 else set()
        done: list[JobReturn] = []
        for number in numbers:
            others = [o for o in jobs[number] if o not in common and not o.startswith("hydra.")]
            own = " ".join(as_typed(o) for o in others if key_of(o) not in self.fixed)
            if not stopped_with(self.folder):
                say(f"job {first + number + 1} of {self.total or first + len(jobs)}{': ' * bool(own)}{own}")
            before = set(self.folder.glob("*"))
            try:
                done += self.launcher.launch([jobs[number]], initial_job_idx=first + number)
            except (KeyboardInterrupt, Terminated):
                for folder in set(self.folder.glob("*")) - before:  # the job may have been about to begin
                    remove_if_unused(folder)
                raise
        return done

    def _run_fallen_again(self, jobs: Sequence[Sequence[str]], first: int, returned: dict[int, JobReturn]) -> None:
        """Runs the jobs that an error of the GPU has ended once more, one by one.

        With MPS, a fatal error of one process ends all that share the GPU with it. The one that caused it fails again.
        """
        fallen = {frozenset(job.overrides): job for job, result in jobs_in(self.folder) if is_gpu_error(result)}
        for number, overrides in enumerate(jobs):
            if job := fallen.get(frozenset(o for o in overrides if not o.startswith("hydra."))):
                note_again(self.folder, job.folder.name)
                print(
                    f"warning: {job.folder.name} ended with an error of the GPU: it runs again, alone", file=sys.stderr
                )
                self._run([number], jobs, first, returned)

    def _begun(self, numbers: list[int], jobs: Sequence[Sequence[str]]) -> list[int]:
        """The jobs that may have been running: those that have begun and have no result. All, if there are none."""
        without = [set(job.overrides) for job, result in jobs_in(self.folder) if not result]
        begun = [number for number in numbers if {o for o in jobs[number] if not o.startswith("hydra.")} in without]
        return begun or numbers
