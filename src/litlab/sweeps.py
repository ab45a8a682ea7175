"""What a sweep found: a ranked table, `sweep.csv` and `sweep.png`, from the folders its jobs left.

python -m litlab.sweeps runs/mnist_mnist_cnn/sweep_2026-01-31_12-00-00
"""

import argparse
import csv
import hashlib
import importlib.util
import json
import multiprocessing
import os
import re
import shlex
import shutil
import signal
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.box import SIMPLE_HEAD
from rich.table import Table

from litlab import console, ranks, resume
from litlab.config import OVERRIDES, RESULT, ConfigError

EXTRAS = {"joblib": "joblib", "submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}
# Files in the sweep's folder:
STOPPED = ".stopped"  # with the exit status: begin no more jobs
REFUSED = ".refused"  # a line for each job that this start, or the last, has refused: it has been trained otherwise
PROCESS = "LITLAB_SWEEP"  # in the environment of joblib's processes: the number of the one that started them


@dataclass
class Job:
    """One job of a sweep, as its folder tells it.

    `status` is that of `result.json`; without one `running` or `killed`; `score` is the best value of the objective, if
    that is the sweep's.
    """

    folder: Path
    overrides: list[str]  # as they were written
    status: str = "killed"
    objective: str = ""
    score: float | None = None
    seconds: float | None = None
    error: str = ""
    seed: str = ""  # also where it was not given
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        return dict(line.lstrip("+").split("=", 1) for line in self.overrides if "=" in line)


@dataclass
class Sweep:
    """The jobs of a sweep, best first; those without a score come last, in the order of their names.

    Where the objective itself is swept, that of the first job by name is compared.
    """

    folder: Path
    jobs: list[Job]
    objective: str
    mode: str

    @property
    def best_of(self) -> Callable[..., Any]:
        """`max` or `min`, as the objective is meant."""
        return max if self.mode == "max" else min

    @property
    def swept(self) -> list[str]:
        """The settings in which the jobs differ, in the order of the command line."""
        names = dict.fromkeys(name for job in self.jobs for name in job.settings)
        return [name for name in names if len({job.settings.get(name) for job in self.jobs}) > 1]

    @property
    def finished(self) -> list[Job]:
        """Those completed, and with a score: without checkpoints there is none."""
        return [job for job in self.jobs if job.status == "completed" and job.score is not None]

    @property
    def unfinished(self) -> list[Job]:
        return [job for job in self.jobs if job.status not in ("completed", "pruned")]

    @property
    def incomparable(self) -> list[Job]:
        """Those with another objective."""
        return [job for job in self.jobs if job.objective and job.score is None]

    @property
    def pruned(self) -> list[Job]:
        return [job for job in self.jobs if job.status == "pruned"]


def read(folder: Path) -> Sweep:
    """Reads the folders of a sweep's jobs.

    Raises:
        ValueError: if there are none.
    """
    jobs: list[Job] = []
    objective, mode = "", "max"
    for job, result in jobs_in(folder):
        job.status = result.get("status") or ("running" if is_running(job.folder) else job.status)
        job.seconds = result.get("seconds")
        job.seed = str(result.get("config", {}).get("seed", job.settings.get("seed", "")))
        job.error, job.metrics = result.get("error", ""), result.get("metrics", {})
        if found := result.get("objective"):
            if not objective:
                objective, mode = found["name"], found["mode"]
            job.objective = found["name"]
            job.score = found["value"] if (found["name"], found["mode"]) == (objective, mode) else None
        jobs.append(job)
    if not jobs:
        raise ValueError(f"{folder}: no jobs of a sweep here")
    sweep = Sweep(folder, jobs, objective, mode)
    jobs.sort(key=lambda job: job.score or 0, reverse=sweep.best_of is max)  # and by name, as they are
    jobs.sort(key=lambda job: job.score is None)
    return sweep


def result_of(job: Path) -> dict[str, Any]:
    """What `result.json` says of a run; nothing if there is none yet."""
    path = job / RESULT
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return result


def is_running(job: Path) -> bool:
    """Whether a process trains in this folder."""
    try:
        os.close(resume.hold(job))
    except ConfigError:
        return True
    return False


def jobs_in(folder: Path) -> Iterator[tuple[Job, dict[str, Any]]]:
    """The jobs of a sweep by their names, with the overrides that they were trained with, and their results."""
    recorded = {path.parents[1] for path in folder.glob(f"*/{OVERRIDES}")}
    for job in sorted(recorded | {path.parent for path in folder.glob(f"*/{RESULT}")}):
        result = result_of(job)
        asked = result.get("overrides") or (OmegaConf.load(job / OVERRIDES) if job in recorded else ())
        yield Job(job, [str(line) for line in asked]), result


def refused(folder: Path) -> list[str]:
    """What the last start has said of the jobs that it refused."""
    path = folder / REFUSED
    return path.read_text().splitlines() if path.exists() else []


def report(folder: Path) -> Sweep:
    """Prints the ranked table and writes `sweep.csv` and `sweep.png` into the sweep's folder."""
    sweep = read(folder)
    write_csv(sweep)
    console.say(ranking(sweep))
    if "seed" in sweep.swept and sweep.finished:
        console.say(over_seeds(sweep))
    written = "sweep.csv"
    if sweep.finished:
        from litlab.sweep_plot import draw  # matplotlib, which a training need not wait for

        draw(sweep, folder / "sweep.png")
        written += ", sweep.png"
        best = sweep.finished[0]
        shown = best.folder.relative_to(Path.cwd()) if best.folder.is_relative_to(Path.cwd()) else best.folder
        console.say(f"best job      {shown}/checkpoints/best.ckpt")
        console.say(f"repeat it     python train.py {shlex.join(best.overrides)}")
    console.say(f"{'table, plot' if sweep.finished else 'table':<14}{folder}/{written}")
    others = {"pruned": len(sweep.pruned), "refused": len(refused(folder))}
    counted = "".join(f", {count} {what}" for what, count in others.items() if count)
    completed = sum(job.status == "completed" for job in sweep.jobs)
    console.say(f"sweep         {completed} of {len(sweep.jobs)} jobs completed{counted}")
    for job in sweep.unfinished:
        console.say(f"{job.status:<14}{job.folder.name}  {job.error}")
    for job in sweep.incomparable:
        console.say(f"{'not ranked':<14}{job.folder.name}  its objective is {job.objective}, and not {sweep.objective}")
    for line in refused(folder):
        console.say(f"{'refused':<14}{line}")
    return sweep


def ranking(sweep: Sweep) -> Table:
    """One row a job, best first, with only the settings that differ."""
    table = Table(box=SIMPLE_HEAD)
    for name in ("rank", *sweep.swept):
        table.add_column(name, justify="right")
    table.add_column(f"{sweep.objective or 'objective'} ({sweep.mode})", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("status")
    for rank, job in enumerate(sweep.jobs, 1):
        score = "" if job.score is None else f"{job.score:.4f}"
        seconds = "" if job.seconds is None else f"{job.seconds:.1f}"
        table.add_row(str(rank), *(job.settings.get(n, "") for n in sweep.swept), score, seconds, job.status)
    return table


def groups(sweep: Sweep) -> dict[tuple[str, ...], list[float]]:
    """The scores of the finished jobs that differ in nothing but `seed`, best mean first."""
    names = [name for name in sweep.swept if name != "seed"]
    found: dict[tuple[str, ...], dict[str, float]] = {}  # by seed, each of which counts once
    for job in sweep.finished:
        assert job.score is not None
        values = tuple(job.settings.get(name, "") for name in names)
        found.setdefault(values, {}).setdefault(job.seed, job.score)
    scores = {values: list(by_seed.values()) for values, by_seed in found.items()}
    return dict(sorted(scores.items(), key=lambda item: statistics.mean(item[1]), reverse=sweep.best_of is max))


def over_seeds(sweep: Sweep) -> Table:
    """Mean and standard deviation over the seeds."""
    table = Table(box=SIMPLE_HEAD)
    for name in (name for name in sweep.swept if name != "seed"):
        table.add_column(name, justify="right")
    for name in (f"mean {sweep.objective}", "std", "seeds"):
        table.add_column(name, justify="right")
    for values, scores in groups(sweep).items():
        spread = f"{statistics.stdev(scores):.4f}" if len(scores) > 1 else ""
        table.add_row(*values, f"{statistics.mean(scores):.4f}", spread, str(len(scores)))
    return table


def write_csv(sweep: Sweep) -> None:
    """Writes everything known of every job to `sweep.csv`."""
    metrics = sorted({name for job in sweep.jobs for name in job.metrics})
    header = ["rank", *sweep.swept, "objective", "seconds", "status", *metrics, "folder", "error"]
    with (sweep.folder / "sweep.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for rank, job in enumerate(sweep.jobs, 1):
            settings = [job.settings.get(name, "") for name in sweep.swept]
            values = [job.metrics.get(name, "") for name in metrics]
            score = "" if job.score is None else job.score
            writer.writerow([rank, *settings, score, job.seconds, job.status, *values, job.folder.name, job.error])


def folder_name(overrides: str) -> str:
    """A job's folder: its overrides, without what a file system or a shell stumbles over, and not too long."""
    name = _harmless(overrides)
    return name if len(name.encode()) <= 150 else f"{name.encode()[:140].decode(errors='ignore')}_{_digest(overrides)}"


def _harmless(overrides: str) -> str:
    return re.sub(r"[^\w.,=+-]+", "_", overrides).strip("_") or "default"


def _digest(overrides: str) -> str:
    return hashlib.sha256(overrides.encode()).hexdigest()[:8]


OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)


def has_begun(job: Path) -> bool:
    """Whether an earlier start has trained a job, or refused it, so that its folder has a record of that."""
    return (job / RESULT).exists() or any(job.glob("checkpoints/*.ckpt"))


def record_folder(job: str) -> str | None:
    """Where Hydra records the config of a job before it begins: nowhere, if it may be refused or is finished."""
    return None if has_begun(Path(job)) else ".hydra"


OmegaConf.register_new_resolver("record_folder", record_folder, replace=True)


def names_job(job: Job, key: str) -> bool:
    """Whether a job's folder is named by this setting: it was swept then."""
    return re.search(rf"(^|,)\+*{re.escape(key)}=", job.folder.name) is not None


def in_their_folders(batch: Sequence[Sequence[str]], folder: Path, subdir: str) -> list[list[str]]:
    """The overrides of jobs, each of them once, and with them their folders where `subdir` would not do.

    Those that an earlier start has begun keep theirs: what that start swept, and so named them by, may be something
    else than now. Those whose names are the same without what cannot be in a name have a hash at its end.
    """
    begun = {frozenset(job.overrides): job.folder.name for job, _ in jobs_in(folder)}
    jobs = list(dict.fromkeys(map(tuple, batch)))
    alike = Counter(_harmless(",".join(overrides)) for overrides in jobs)
    placed = []
    for overrides in jobs:
        asked = ",".join(overrides)
        name = begun.get(frozenset(overrides)) or (f"{subdir}_{_digest(asked)}" if alike[_harmless(asked)] > 1 else "")
        own = [f"hydra.sweep.subdir={QuotedString(name, Quote.single).with_quotes()}"] if name else []
        placed.append([*overrides, *own])
    return placed


class SweepStopped(KeyboardInterrupt):
    """A signal has stopped a sweep; `status` is the exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def subdir(hydra: Any) -> str:
    """`hydra.sweep.subdir`, which is different for each job, as it is written."""
    written: Any = OmegaConf.to_container(hydra, resolve=False)
    return str(written["sweep"]["subdir"])


def uses(hydra: Any, launcher: str) -> bool:
    """Whether jobs are started by this launcher: Basic (one after the other, in this process), Joblib, Slurm, ..."""
    return bool(hydra.launcher._target_.endswith(f".{launcher}Launcher"))


def check(hydra: Any) -> None:
    """Looks for what the chosen launcher needs, and whether the folders of jobs will be found again.

    Raises:
        HydraException: if not.
    """
    if "/" in subdir(hydra):
        raise HydraException(f"hydra.sweep.subdir={subdir(hydra)}: no / in it, all jobs are in hydra.sweep.dir itself")
    launcher = hydra.runtime.choices["hydra/launcher"]
    if ranks.is_rank() and not uses(hydra, "Basic"):
        raise HydraException(f"hydra/launcher={launcher}: not under torchrun or srun, whose processes share each job")
    if importlib.util.find_spec(".".join(hydra.launcher._target_.split(".")[:2])) is None:
        raise HydraException(needs_extra(launcher))
    if uses(hydra, "Slurm") and shutil.which("srun") is None:
        raise HydraException("hydra/launcher=submitit_slurm: no srun here; submitit_local does the same on one machine")


def needs_extra(launcher: str) -> str:
    """What to install for a launcher."""
    return f'hydra/launcher={launcher}: pip install -e ".[{EXTRAS[launcher]}]" first'


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def jobs_at_once(n_jobs: int | None) -> int:
    """What `n_jobs` of a launcher stands for: below 1, as joblib's own -1, a job for each core."""
    n_jobs = n_jobs or 1
    return cores() if n_jobs < 1 else n_jobs


def _folder_of_this() -> Path:
    """The folder of the sweep that this job belongs to, wherever the job itself works (`hydra.job.chdir`)."""
    hydra = HydraConfig.get()
    return Path(hydra.runtime.cwd) / hydra.sweep.dir


def is_stopped() -> bool:
    """Whether the sweep that this job belongs to was told to begin no more jobs."""
    return (_folder_of_this() / STOPPED).exists()


def stopped_with(folder: Path) -> int:
    """The exit status with which a sweep was told to stop; 0 if it was not."""
    return int((folder / STOPPED).read_text()) if (folder / STOPPED).exists() else 0


def stop(status: int) -> None:
    """Ends the sweep after a job that a signal has stopped, and that has saved.

    Raises:
        SweepStopped: where the jobs run one after the other. Elsewhere that would end those beside it before they have
            saved: the process that started them is left a mark.
    """
    hydra = HydraConfig.get()
    if uses(hydra, "Basic"):
        raise SweepStopped(status)
    if uses(hydra, "Joblib") and os.getppid() != int(os.environ[PROCESS]):
        os._exit(status)  # nobody is there to take what the job returns; and the mark may be for the next start
    (_folder_of_this() / STOPPED).write_text(str(status))


def report_stopped() -> bool:
    """The report of a sweep in this process that was stopped; False if there is no sweep."""
    folder = ReportSweep.folder
    if folder is None:
        return False
    if not any(folder.glob(f"*/{OVERRIDES}")):
        print("interrupted: no job has begun", file=sys.stderr)
        return True
    report(folder)
    print(f"go on with    the same command and {shlex.quote(f'hydra.sweep.dir={folder}')}", file=sys.stderr)
    return True


def _tell_jobs(signum: int, frame: FrameType | None) -> None:
    """Passes a signal on to the processes of joblib's jobs, and lets them save. No more jobs begin.

    One that has not begun, and so does not know what to do with a signal, may just end, and leaves no mark itself.
    """
    assert ReportSweep.folder is not None
    ReportSweep.folder.mkdir(parents=True, exist_ok=True)
    (ReportSweep.folder / STOPPED).write_text(str(128 + signum))
    if os.isatty(0) and os.getpgrp() == os.tcgetpgrp(0) and signum == signal.SIGINT:
        return  # Ctrl-C, which the terminal has sent to them too
    for process in multiprocessing.active_children():
        if process.pid:
            os.kill(process.pid, signum)


class ReportSweep(Callback):
    """Makes Hydra end every sweep with its report, and with exit status 1 if a job did not complete."""

    folder: Path | None = None  # of the sweep in this process
    lost = 0  # jobs of which a launcher has brought nothing back: they may not even have a folder

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Gives all jobs one folder, and names those in it by what is swept alone, now or in an earlier start there."""
        ReportSweep.folder, ReportSweep.lost = Path(config.hydra.sweep.dir), 0
        for name in (STOPPED, REFUSED):
            (ReportSweep.folder / name).unlink(missing_ok=True)
        if uses(config.hydra, "Joblib"):
            os.environ[PROCESS] = str(os.getpid())
            for signum in (signal.SIGINT, signal.SIGTERM):
                signal.signal(signum, _tell_jobs)
        overrides = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
        earlier = [job for job, _ in jobs_in(ReportSweep.folder)]
        swept = {o.key_or_group for o in overrides if o.is_sweep_override()}
        fixed = [
            key
            for key in dict.fromkeys(o.key_or_group for o in overrides)
            if key not in swept and not any(names_job(job, key) for job in earlier)
        ]
        with open_dict(config):
            # A process that runs some of the jobs composes the config anew, and would make a folder of its own.
            config.hydra.overrides.hydra += [
                f"hydra.job.config.override_dirname.exclude_keys={fixed}",
                f"hydra.sweep.dir={QuotedString(str(config.hydra.sweep.dir), Quote.single).with_quotes()}",
                "hydra.output_subdir='${record_folder:${hydra.runtime.output_dir}}'",
            ]

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        if status := stopped_with(folder):
            raise SweepStopped(status)
        unfinished = report(folder).unfinished if any(folder.glob(f"*/{OVERRIDES}")) else []
        if failed := len(unfinished) or ReportSweep.lost:
            print(f"failed: {failed} of the sweep's jobs did not complete", file=sys.stderr)
            sys.exit(1)
        if refused(folder):
            sys.exit(2)


if __name__ == "__main__":
    console.quieten()
    summary, example = (__doc__ or "").strip().split("\n\n")
    parser = argparse.ArgumentParser("python -m litlab.sweeps", description=summary, epilog=example)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder of a sweep, finished or not")
    try:
        report(parser.parse_args().folder)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
