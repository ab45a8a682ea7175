"""A list of runs: what each was, how it ended, and how good it is, as their folders tell."""

import json
import re
import textwrap
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from rich.box import SIMPLE_HEAD
from rich.table import Table

from litlab.console import Terminal, number, printable
from litlab.direction import better
from litlab.runs.folders import began, status_without_result
from litlab.runs.layout import CONFIG, HYDRA, RESULT, best_or_last
from litlab.runs.result import read_result

SCORES = ("objective", "test")  # columns with the value of a metric
WIDE = 110  # characters, with which a value has room beside its metric
NARROWER = (("when",), ("when", "network"), ("when", "network", "data"))  # columns to leave out of a narrow table
COLUMNS = ("name", "when", "data", "network", "status", "objective", "test")
CHOICES = re.compile(r"^    choices:\n((?: {6}.*\n)+)", re.MULTILINE)  # the options of each group, in HYDRA


@dataclass
class Listed:
    """One run of a list.

    Args:
        folder: as a user can type it.
        name: the folder, without those above it that all runs with this data set and network share.
        when: it began, such as `2026-01-31 12:00:00`.
        data: the option of the data set.
        network: the option of the network.
        status: of `result.json`; without that file `starting`, `running` or `killed`.
        objective: the best value of the objective; None if there is none.
        test: the value of the objective's metric on the test set, or the loss; None if there was no test.
        objective_name: such as `val/acc`.
        objective_mode: `max` if a higher value is better.
        test_name: such as `test/acc`.
        epochs: that were finished.
        seconds: of training.
    """

    folder: str
    name: str
    when: str
    data: str
    network: str
    status: str
    objective: float | None = None
    test: float | None = None
    objective_name: str = ""
    objective_mode: str = "max"
    test_name: str = ""
    epochs: int | None = None
    seconds: float | None = None


def runs_in(folder: Path) -> list[Listed]:
    """All runs below a folder, also the jobs of sweeps, and those that have lost their config."""
    recorded = {config.parents[1] for config in folder.glob(f"**/{CONFIG}")}
    trained = {result.parent for result in folder.glob(f"**/{RESULT}") if best_or_last(result.parent)}
    return [_listed(run, folder) for run in sorted(recorded | trained)]


def in_order(runs: list[Listed], column: str, backwards: bool = False) -> list[Listed]:
    """Sorts runs by a column: values the best first, text by the alphabet, times the oldest first.

    Runs without a value come last.
    """
    ordered = sorted(runs, key=lambda run: (run.when, run.name))
    ordered.sort(key=lambda run: _rank(run, column), reverse=backwards)
    return sorted(ordered, key=lambda run: getattr(run, column) in (None, ""))


def as_table(runs: list[Listed], width: int = WIDE) -> Table:
    """A row for each run. A metric that all of them share is named once, above its column.

    Args:
        width: characters of the terminal. Where they are few, a value stands below its metric; where that is not
            enough, columns are left out; and at last, long names fold.
    """
    table, unlimited = _table(runs, width, ()), Terminal(width=1000)
    for left_out in NARROWER:
        if unlimited.measure(table).maximum <= width:
            break
        table = _table(runs, width, left_out)
    return table


def _table(runs: list[Listed], width: int, left_out: Collection[str]) -> Table:
    """The same without some columns."""
    shared = {name: {getattr(run, f"{name}_name") for run in runs} - {""} for name in SCORES}
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    columns = [column for column in COLUMNS if column not in left_out]
    for column in columns:
        alone = len(shared.get(column, ())) == 1
        folds = column in ("name", "data", "network")  # where a terminal is too narrow
        table.add_column(*shared[column] if alone else (column,), no_wrap=not folds, overflow="fold")
    for run in runs:
        scores = {name: _scored(run, name, name_it=len(shared[name]) > 1) for name in SCORES}
        if width < WIDE:
            scores = {name: score.replace(" ", "\n") for name, score in scores.items()}
        texts = {"name": run.name, "when": _short(run.when), "data": run.data, "network": run.network}
        texts["status"] = run.status
        whole = {name: printable(text) for name, text in texts.items()} | scores
        table.add_row(*(whole[column] for column in columns))
    return table


def as_json(runs: list[Listed]) -> str:
    """The runs as a list of objects."""
    return json.dumps([asdict(run) for run in runs], indent=2)


def _listed(run: Path, root: Path) -> Listed:
    result = read_result(run)
    choices = choices_in(run / HYDRA)
    data = choices.get("data") or (result.get("dataset") or {}).get("name", "")
    network = choices.get("model") or str((result.get("config") or {}).get("model._target_", "")).rpartition(".")[2]
    found = result.get("objective") or {}
    name = found.get("name", "")
    test_name, test = _test(result.get("metrics") or {}, name)
    return Listed(
        folder=str(run),
        name=str(run.relative_to(root)).removeprefix(f"{data}_{network}/") if run != root else run.resolve().name,
        when=f"{began(run):%Y-%m-%d %H:%M:%S}",
        data=data,
        network=network,
        status=result.get("status") or status_without_result(run),
        objective=found.get("value"),
        test=test,
        objective_name=name,
        objective_mode=found.get("mode", "max"),
        test_name=test_name,
        epochs=result.get("epochs"),
        seconds=result.get("seconds"),
    )


def choices_in(recorded: Path) -> dict[str, Any]:
    """The options of the groups, from HYDRA of a run. The file is long, and only this part of it is parsed."""
    try:
        block = CHOICES.search(recorded.read_text())
        choices = yaml.safe_load(textwrap.dedent(block[1])) if block else {}
    except (OSError, ValueError, yaml.YAMLError):  # there is none, or it is damaged
        return {}
    return choices if isinstance(choices, dict) else {}


def _test(metrics: dict[str, Any], objective: str) -> tuple[str, float | None]:
    """The metric of the objective on the test set, or the loss there."""
    wanted = f"test/{objective.rpartition('/')[2]}"
    name = next((name for name in (wanted, "test/loss") if name in metrics), "")
    return name, metrics.get(name)


def _rank(run: Listed, column: str) -> tuple[str, Any]:
    """What runs are compared by. Values of different metrics are not mixed."""
    value = getattr(run, column)
    if column == "objective":
        return run.objective_name, (value or 0.0) * (-1 if run.objective_mode == "max" else 1)
    if column == "test":
        alike = run.test_name.rpartition("/")[2] == run.objective_name.rpartition("/")[2]
        mode = run.objective_mode if alike else better(run.test_name)
        return run.test_name, (value or 0.0) * (-1 if mode == "max" else 1)
    return "", value


def _short(when: str) -> str:
    """A time without its seconds, and without this year."""
    return when.removeprefix(f"{datetime.now():%Y-}")[:-3]


def _scored(run: Listed, score: str, name_it: bool) -> str:
    """A value of the run as text, behind the name of its metric if `name_it`."""
    value = getattr(run, score)
    if value is None:
        return ""
    return f"{getattr(run, f'{score}_name')} {number(value)}" if name_it else number(value)
