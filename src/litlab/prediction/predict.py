"""Pictures in, predictions out: `python predict.py ckpt=... input=...`."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader

from litlab.checkpoint import Trained
from litlab.config import Run
from litlab.console import console, printable
from litlab.data import Normalize
from litlab.errors import ConfigError, RunFailed
from litlab.figures import Marks, Picture, as_png, sheet
from litlab.machine import cores
from litlab.prediction.files import Loaded, PictureFiles, as_list, find_files
from litlab.prediction.settings import device, output_folder
from litlab.prediction.tasks import TASKS, Prediction, kind
from litlab.prediction.write import csv_writer, json_writer, print_quietly, table_printer

ON_SHEET = 64  # pictures; with more, the sheet shows the first ones and the failed files are left out
MANY = 64  # files from which workers pay for their start


def predict(trained: Trained, run: Run) -> None:
    """Prints and writes what the network makes of each file of `input`.

    Raises:
        ConfigError: if nothing can be predicted as asked.
        RunFailed: with status 1 if some files could not be read, 2 if none could.
    """
    if not isinstance(run.cfg.batch_size, int) or run.cfg.batch_size < 1:
        raise ConfigError(f"batch_size={run.cfg.batch_size}: must be a whole number above 0")
    if run.cfg.num_workers is not None and not (isinstance(run.cfg.num_workers, int) and run.cfg.num_workers >= 0):
        raise ConfigError(f"num_workers={run.cfg.num_workers}: must be a whole number, at least 0, or null")
    files, on, folder = find_files(run), device(run), output_folder(run, "predictions")
    workers = run.cfg.num_workers
    if workers is None:
        workers = min(4, cores()) if len(files) >= MANY else 0
    if not run.cfg.quiet:
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in trained.metrics.items() if name.startswith("val/"))
        console.print(
            f"{trained.path}: {trained.architecture.name.rpartition('.')[2]} trained on {trained.data.name}"
            + (f" ({metrics})" if metrics else ""),
            markup=False,
        )
    failed = inverted = 0
    shown: list[Picture] = []
    with ExitStack() as stack:
        say = print_quietly if run.cfg.quiet else table_printer(files, trained)
        write_csv = stack.enter_context(csv_writer(folder / "predictions.csv", trained))
        write_json = stack.enter_context(json_writer(folder / "predictions.json"))
        rows = predictions_for(trained, files, on, run.cfg.batch_size, workers, run.cfg.invert)
        live = console.is_terminal and not run.cfg.quiet and len(files) > run.cfg.batch_size
        for prediction, loaded in track(rows, "", len(files), console=console, transient=True) if live else rows:
            failed += prediction.error is not None
            inverted += prediction.inverted
            for write in (say, write_csv, write_json):
                write(prediction)
            if loaded.thumbnail is not None:
                caption = f"{prediction.label}\n{printable(Path(prediction.file).name)}".strip()
                marks = [Marks(prediction.points)] if prediction.points is not None else []
                shown.append(Picture(loaded.thumbnail, caption, marks=marks))
    if shown:
        more = f"the first {len(shown)} of {len(files):,} files" if len(files) > ON_SHEET else ""
        (folder / "predictions.png").write_bytes(as_png(sheet(shown, more)))
    if not run.cfg.quiet:
        if run.cfg.invert == "auto" and trained.data.background is not None:
            kind = "dark" if trained.data.background < 128 else "light"
            console.print(
                f"invert=auto: {inverted} of {len(files) - failed} pictures inverted "
                f"({trained.data.name} has a {kind} background)"
            )
        made = ", ".join(f"predictions.{kind}" for kind in ("csv", "json", *(["png"] if shown else [])))
        console.print(f"written to {folder}: {made}", markup=False)
    if failed == len(files):
        raise RunFailed("no file could be read", 2)
    if failed:
        raise RunFailed(f"{failed} of {len(files):,} files could not be read")


def predictions_for(
    trained: Trained, files: Sequence[str], on: torch.device, batch_size: int, workers: int, invert: bool | str
) -> Iterator[tuple[Prediction, Loaded]]:
    """Predicts `files`, batch by batch, in order; at no time are more than a few batches in memory."""
    data = trained.data
    network, normalize = trained.network.to(on), Normalize(data.mean, data.std)
    loader = DataLoader(
        PictureFiles(files, trained, invert, ON_SHEET), batch_size, collate_fn=as_list, num_workers=workers
    )
    for batch in loader:
        good = [loaded.image for loaded in batch if loaded.image is not None]
        known: Iterator[dict[str, Any]] = iter(())
        if good:
            with torch.inference_mode():
                outputs = network(normalize(torch.stack(good).to(on)))
            known = iter(_checked(outputs, len(good), trained))
        for loaded in batch:
            if loaded.image is None:
                yield Prediction(loaded.file, error=loaded.error), loaded
            else:
                yield Prediction(loaded.file, inverted=loaded.inverted, **next(known)), loaded


def _checked(outputs: Any, count: int, trained: Trained) -> list[dict[str, Any]]:
    if not isinstance(outputs, Tensor) or len(outputs) != count:
        raise ValueError(f"{trained.path}: {trained.architecture.name} does not make one output of each picture")
    if not torch.isfinite(outputs).all():
        raise ValueError(f"{trained.path}: the network's outputs are not finite; its training diverged")
    return TASKS[kind(trained.task, trained.data)](outputs, trained.data)
