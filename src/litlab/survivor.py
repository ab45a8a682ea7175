"""A sweep that survives its jobs: what a launcher raises when the process of one is killed does not end it."""

import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from litlab import console, sweeps

DIED = {  # what launchers raise then, of modules that are imported only where they are used
    "concurrent.futures": "BrokenExecutor",  # joblib
    "submitit.core.utils": "UncompletedJobError",
    "ray.exceptions": "WorkerCrashedError",
}


def died() -> tuple[type[Exception], ...]:
    """The errors that say that the process of a job has died."""
    return tuple(getattr(sys.modules[module], name) for module, name in DIED.items() if module in sys.modules)


class Survivor(Launcher):
    """Another launcher, and what it does when the process of a job is killed, by the kernel for want of memory say.

    joblib's other processes end with that one. Those of its jobs that were running then go on one by one, so that one
    which is killed again takes none with it, and the rest as before. Elsewhere the others run on by themselves.

    Args:
        launcher: the launcher that was chosen.
        folder: of the sweep.
    """

    def __init__(self, launcher: Launcher, folder: Path) -> None:
        self.launcher, self.folder = launcher, folder

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.launcher.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """As the launcher does; a job whose process was killed returns nothing, and has no `hydra_cfg`.

        Raises:
            SweepStopped: if a signal has stopped the sweep.
        """
        returned: dict[int, JobReturn] = {}
        todo = list(range(len(job_overrides)))
        while todo and not self._run(todo, job_overrides, initial_job_idx, returned):
            if type(self.launcher).__name__ != "JoblibLauncher":
                break
            alone = self._begun(todo, job_overrides)
            for number in alone:
                self._run([number], job_overrides, initial_job_idx, returned)
            todo = [number for number in todo if number not in alone]
        lost = [number for number in range(len(job_overrides)) if number not in returned]
        sweeps.ReportSweep.lost += len(lost)
        return [returned.get(n) or JobReturn(status=JobStatus.COMPLETED) for n in range(len(job_overrides))]

    def _run(
        self, numbers: list[int], jobs: Sequence[Sequence[str]], first: int, returned: dict[int, JobReturn]
    ) -> bool:
        try:
            done = self.launcher.launch([jobs[number] for number in numbers], initial_job_idx=first + numbers[0])
        except died() as error:
            if status := sweeps.stopped_with(self.folder):
                raise sweeps.SweepStopped(status) from None
            print(f"warning: the process of a job has died: {console.one_line(error)}", file=sys.stderr, flush=True)
            return False
        returned |= dict(zip(numbers, done, strict=True))
        return True

    def _begun(self, numbers: list[int], jobs: Sequence[Sequence[str]]) -> list[int]:
        """Those of the jobs that may have been running: begun, and without a result. All, if there are none."""
        without = [set(job.overrides) for job, result in sweeps.jobs_in(self.folder) if not result]
        begun = [number for number in numbers if {o for o in jobs[number] if not o.startswith("hydra.")} in without]
        return begun or numbers
