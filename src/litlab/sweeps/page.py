"""`sweep.html`: the table, the settings and the curves of a sweep on one page that needs no network."""

import contextlib
import json
import statistics
import warnings
from pathlib import Path
from typing import Any

from litlab.runs import BEST
from litlab.sweeps.jobs import Job, Sweep, curve
from litlab.sweeps.seeds import groups, half_interval, repeated, settings_compared

FILE = "sweep.html"
TEMPLATE = Path(__file__).with_name("sweep_page.html")
DATA = "/*DATA*/null"  # in the template
LEAST_JOBS = 8  # fewer say nothing about which setting matters


def write_page(sweep: Sweep) -> None:
    """Writes the page into the folder of the sweep."""
    text = json.dumps(content(sweep), allow_nan=False).replace("<", "\\u003c")  # no job can end the script
    (sweep.folder / FILE).write_text(TEMPLATE.read_text().replace(DATA, text))


def content(sweep: Sweep) -> dict[str, Any]:
    """What the page shows, as plain data."""
    return {
        "name": sweep.folder.resolve().name,
        "objective": sweep.objective or "objective",
        "mode": sweep.mode,
        "swept": sweep.swept,
        "jobs": [described(sweep, rank, job) for rank, job in enumerate(sweep.jobs, 1)],
        "repeated": repeated(sweep),
        "means": means(sweep),
        "importance": importance(sweep),
    }


def means(sweep: Sweep) -> list[dict[str, Any]]:
    """The mean of each group of jobs that differ only in seed or fold, the best first; none without such jobs."""
    if not repeated(sweep):
        return []
    names = settings_compared(sweep)
    return [
        {
            "settings": dict(zip(names, values, strict=True)),
            "mean": statistics.mean(scores),
            "deviation": statistics.stdev(scores) if len(scores) > 1 else None,
            "interval": half_interval(scores),
            "count": len(scores),
        }
        for values, scores in groups(sweep).items()
    ]


def described(sweep: Sweep, rank: int, job: Job) -> dict[str, Any]:
    """One job."""
    epochs, values = curve(job, sweep.objective)
    finite = [[e, round(v, 6)] for e, v in zip(epochs, values, strict=True) if abs(v) < 1e30]
    pages = [f"{job.folder.name}/{file}" for file in ("report.html", BEST) if (job.folder / file).exists()]
    return {
        "rank": rank,
        "folder": job.folder.name,
        "settings": {name: job.settings.get(name, "") for name in sweep.swept},
        "score": job.score,
        "seconds": job.seconds,
        "status": job.status,
        "unfinished": job.is_unfinished,
        "error": job.error,
        "metrics": job.metrics,
        "curve": finite,
        "page": pages[0] if pages else None,
    }


def importance(sweep: Sweep) -> dict[str, Any] | None:
    """How much of the differences between the jobs each setting explains, from 0 to 1.

    By fANOVA (Hutter et al. 2014) if scikit-learn is installed, else by PED-ANOVA (Watanabe et al. 2023), which looks
    at what sets the best jobs apart. None without Optuna, with fewer than two swept settings, or with too few jobs.
    """
    names = settings_compared(sweep)
    jobs = [job for job in sweep.jobs if job.score is not None and all(name in job.settings for name in names)]
    if len(names) < 2 or len(jobs) < LEAST_JOBS:
        return None
    try:
        import optuna
    except ImportError:
        return None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {name: _distribution([job.settings[name] for job in jobs]) for name in names}
    study = optuna.create_study(direction="maximize" if sweep.mode == "max" else "minimize")
    for job in jobs:
        values = {name: _as_number(job.settings[name], distributions[name]) for name in names}
        study.add_trial(optuna.trial.create_trial(params=values, distributions=distributions, value=job.score))
    with contextlib.suppress(ValueError, RuntimeError), warnings.catch_warnings(action="ignore"):
        evaluator: Any
        try:
            method, evaluator = "fANOVA", optuna.importance.FanovaImportanceEvaluator(seed=0)
        except ImportError:
            method, evaluator = "PED-ANOVA", optuna.importance.PedAnovaImportanceEvaluator()
        return {"method": method, "of": optuna.importance.get_param_importances(study, evaluator=evaluator)}
    return None


def _distribution(values: list[str]) -> Any:
    """The values of one setting, as Optuna describes them: numbers on a log scale if they span two decades."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return CategoricalDistribution(sorted(set(values)))
    low, high = min(numbers), max(numbers)
    return FloatDistribution(low, high, log=low > 0 and high / low >= 100)


def _as_number(value: str, distribution: Any) -> Any:
    return float(value) if type(distribution).__name__ == "FloatDistribution" else value
