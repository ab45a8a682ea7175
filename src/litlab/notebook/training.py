"""Trains from a notebook, with the configs and the run folder of `litlab train`."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from litlab.console import logged_to
from litlab.notebook.composing import run_of
from litlab.notebook.mistakes import one_error
from litlab.notebook.prediction import Predictor, load
from litlab.runs import METRICS, RESULT, read_result
from litlab.training import run_training


class Picture(Figure):
    """A figure that a notebook shows, also where nobody has imported pyplot."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


@dataclass(frozen=True)
class TrainedRun:
    """A finished run. `folder` is its run folder. With `summary=true` or `list=true` there is none."""

    folder: Path

    @property
    def result(self) -> dict[str, Any]:
        """The content of `result.json`.

        Raises:
            FileNotFoundError: if nothing was trained, as with `summary=true`.
        """
        return read_result(self._having(RESULT, "a training writes it when it ends"))

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the best checkpoint, such as `{"test/acc": 0.99}`. A run that failed early has none."""
        return dict(self.result.get("metrics", {}))

    def history(self) -> dict[str, list[tuple[int, float]]]:
        """What `metrics.csv` has: for each name, the pairs (step, value).

        Raises:
            FileNotFoundError: if nothing was trained, or if a logger without that file was chosen.
        """
        found: dict[str, list[tuple[int, float]]] = {}
        folder = self._having(METRICS, "a training writes it with logger=default or csv")
        with (folder / METRICS).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for name, text in row.items():
                    if text and name not in ("step", "epoch"):
                        found.setdefault(name, []).append((int(row["step"]), float(text)))
        return found

    def plot(self) -> Figure:
        """The curves of training and validation, one plot for each metric. A notebook shows the figure."""
        history = self.history()
        trained = [name.removeprefix("train/") for name in history if name.startswith("train/")]
        names = [name for name in trained if f"val/{name}" in history] or ["loss"]
        figure = Picture(figsize=(5 * len(names), 3.5), layout="constrained")
        for number, name in enumerate(names):
            axes = figure.add_subplot(1, len(names), number + 1)
            for split in ("train", "val"):
                if points := history.get(f"{split}/{name}"):
                    axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=split)
            axes.set(title=name, xlabel="step")
            axes.legend()
        return figure

    def load(self, trust: str | Sequence[str] | None = None) -> Predictor:
        """The network of the best checkpoint, ready to use."""
        return load(self.folder, trust)

    def _having(self, name: str, advice: str) -> Path:
        """The folder, if it holds this file."""
        if (self.folder / name).is_file():
            return self.folder
        raise FileNotFoundError(f"{self.folder} has no {name}: {advice}")


@one_error
def train(experiment: str | None = None, overrides: Sequence[str] = ()) -> TrainedRun:
    """Trains as `litlab train` does, in this process.

    Args:
        experiment: the name of a recipe.
        overrides: as on the command line, such as `["data=mnist_sample", "optimizer.lr=0.01"]`. With `resume=latest`
            among them, or a run folder, that run goes on in its folder.

    Raises:
        ConfigError: for a wrong setting, in one line.
        RunFailed: if the training began and could not be finished.
    """
    run = run_of(experiment, overrides)
    with logged_to(run.folder):
        run_training(run)
    return TrainedRun(run.folder)
