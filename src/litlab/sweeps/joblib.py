"""`hydra/launcher=joblib`: jobs side by side on this machine, with NVIDIA's MPS where they share a GPU."""

import contextlib
import multiprocessing.resource_tracker
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from hydra_plugins.hydra_joblib_launcher import joblib_launcher
from omegaconf import DictConfig, OmegaConf, open_dict

from litlab.console import say
from litlab.sweeps import mps, side_by_side
from litlab.sweeps.launchers import jobs_at_once
from litlab.sweeps.live_line import live_line
from litlab.sweeps.stopping import SIGNALS, blocked_in_children


class JoblibLauncher(joblib_launcher.JoblibLauncher):
    """Hydra's launcher for joblib. A worker runs one job after the other, and keeps what it has imported.

    Args:
        n_jobs: how many at once; -1: one for each core; auto: as many as fit, judged by the first job.
        mps: see `litlab.sweeps.mps.wanted`.
        joblib: the arguments of joblib's `Parallel`.
    """

    def __init__(self, n_jobs: Any = -1, mps: Any = "auto", **joblib: Any) -> None:
        if n_jobs != "auto" and not (isinstance(n_jobs, int) and n_jobs != 0):
            raise HydraException(f"hydra.launcher.n_jobs={n_jobs}: must be auto, a number of jobs, or -1")
        super().__init__(**joblib)
        self.n_jobs, self.mps = n_jobs, mps
        self.pre_dispatch = joblib.get("pre_dispatch", "2*n_jobs")
        self.has_daemon = False
        self.total: int | None = None  # all jobs of the sweep, if they come in batches

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.decide(config)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs jobs. With `n_jobs=auto`, the very first one runs alone."""
        first: list[JobReturn] = []
        if self.n_jobs == "auto":
            with signals_wait_for_jobs():
                first = list(super().launch(job_overrides[:1], initial_job_idx))
            self.n_jobs, reason = side_by_side.after_the_first_job()
            say(f"n_jobs=auto: {self.n_jobs} at once ({reason})")
            assert self.config is not None
            self.decide(self.config)
        rest = job_overrides[len(first) :]
        if not rest:
            return first
        assert self.config is not None
        folder = Path(self.config.hydra.sweep.dir)
        before = initial_job_idx if self.total else 0  # asha counts the jobs of each wave
        line = live_line(folder, job_overrides, jobs_at_once(self.n_jobs), before, self.total or 0)
        with self.shared_gpu(), line, signals_wait_for_jobs():
            return [*first, *super().launch(rest, initial_job_idx + len(first))]

    def decide(self, config: DictConfig) -> None:
        """Tells joblib and the jobs how many of them run at once. The processes of jobs compose the config again."""
        n_jobs = 1 if self.n_jobs == "auto" else self.n_jobs
        # With one, joblib would run the jobs in this process, and its signals are handled otherwise. So there are two
        # processes, and one job in them.
        alone = n_jobs == 1
        self.joblib |= {"n_jobs": 2 if alone else n_jobs, "pre_dispatch": 1 if alone else self.pre_dispatch}
        with open_dict(config):
            config.hydra.overrides.hydra.append(f"hydra.launcher.n_jobs={n_jobs}")

    @contextlib.contextmanager
    def shared_gpu(self) -> Any:
        """Has an MPS daemon while jobs share a GPU. Workers that began before cannot use it, so they end."""
        on_gpu = OmegaConf.select(self.config, "trainer.accelerator") != "cpu"
        gpus = side_by_side.gpus(set()).count if on_gpu and str(self.mps).lower() != "false" else 0
        if not mps.wanted(self.mps, jobs_at_once(self.n_jobs), gpus):
            yield
            return
        end_workers()
        with mps.daemon() as self.has_daemon:
            try:
                yield
            finally:
                end_workers()


@contextlib.contextmanager
def signals_wait_for_jobs() -> Iterator[None]:
    """Makes SIGINT and SIGTERM wait, in the processes that are started in the block, until their first job begins.

    Until then nothing handles them there, and joblib kills all jobs if one of its processes dies.
    """
    from joblib.externals.loky.backend import resource_tracker

    # Both are processes that the first worker would start, and that unblock these signals here when they have started.
    multiprocessing.resource_tracker.ensure_running()
    resource_tracker.ensure_running()
    with blocked_in_children(*SIGNALS):
        yield


def end_workers() -> None:
    """Ends joblib's processes. The next jobs start new ones."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)
