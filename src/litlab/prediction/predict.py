"""Predicts pictures: `python predict.py ckpt=... input=...`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader

from litlab.checkpoint import Trained
from litlab.config import Run
from litlab.console import console
from litlab.data import Normalize
from litlab.errors import ConfigError, RunFailed
from litlab.machine import cores
from litlab.prediction.calibrate import calibrated
from litlab.prediction.explain import check_explain, explained
from litlab.prediction.files import File, Loaded, PictureFiles, as_list, find_files
from litlab.prediction.settings import device, made_folder, output_path, print_network, written_to
from litlab.prediction.tasks import TASKS, Prediction, in_pixels, task_of
from litlab.prediction.write import (
    CSV,
    JSON,
    ON_SHEET,
    SHEET,
    Sheet,
    csv_writer,
    json_writer,
    print_quietly,
    table_printer,
)

MANY = 64  # files, from which on workers save more time than their start takes


def predict(trained: Trained, run: Run) -> None:
    """Prints and writes the prediction of the network for each file of `input`.

    Raises:
        ConfigError: for a wrong setting.
        RunFailed: with exit status 1 if some files could not be read, 2 if none could.
    """
    check_settings(run)
    explains = check_explain(trained, run)
    files, on, quiet = find_files(run), device(run), run.cfg.quiet
    output_path(run, "predictions")  # finds a mistake before anything is printed
    if not quiet:
        print_network(trained)
    trained = calibrated(trained, run)
    failed = inverted = 0
    sheet = Sheet(len(files))
    with made_folder(run, "predictions") as folder, ExitStack() as stack:
        there = (folder / CSV).exists()
        writers = [
            print_quietly if quiet else stack.enter_context(table_printer(files, trained)),
            stack.enter_context(csv_writer(folder / CSV, trained)),
            stack.enter_context(json_writer(folder / JSON)),
            sheet.add,
        ]
        explain = partial(explained, trained) if explains else None
        predictions = predictions_for(
            trained, files, on, run.cfg.batch_size, workers(run, len(files)), run.cfg.invert, explain
        )
        for prediction in predictions if quiet else with_progress(predictions, len(files), run.cfg.batch_size):
            failed += prediction.error is not None
            inverted += prediction.inverted
            for write in writers:
                write(prediction)
        if failed == len(files):  # raised here, so that no file appears
            raise RunFailed(f"no file could be read{f'; the predictions in {folder} stay as they are' * there}", 2)
    written = [CSV, JSON, *([SHEET] if sheet.write(folder / SHEET) else [])]
    if not quiet:
        if run.cfg.invert == "auto":
            print_inverted(trained, inverted, len(files) - failed)
        console.print(written_to(folder, written, replaced=there), markup=False)
    if failed:
        raise RunFailed(f"{failed} of {len(files):,} files could not be read")


def check_settings(run: Run) -> None:
    """Raises `ConfigError` if `batch_size` or `num_workers` is no number that can be used."""
    batch_size, num_workers = run.cfg.batch_size, run.cfg.num_workers
    if type(batch_size) is not int or batch_size < 1:
        raise ConfigError(f"batch_size={batch_size}: must be a whole number above 0")
    if num_workers is not None and not (type(num_workers) is int and num_workers >= 0):
        raise ConfigError(f"num_workers={num_workers}: must be a whole number, at least 0, or null")


def workers(run: Run, files: int) -> int:
    """The number of processes that read pictures: `num_workers`, or as many as pay off for so many files."""
    if run.cfg.num_workers is not None:
        return int(run.cfg.num_workers)
    return min(4, cores()) if files >= MANY else 0


def print_inverted(trained: Trained, inverted: int, read: int) -> None:
    """Prints how many of the pictures that were read have been inverted, if the network knows only one background."""
    if trained.data.background is None:
        return
    background = "dark" if trained.data.background < 128 else "light"
    console.print(
        f"invert=auto: {inverted} of {read} pictures inverted ({trained.data.name} has a {background} background)"
    )


def with_progress(predictions: Iterable[Prediction], files: int, batch_size: int) -> Iterable[Prediction]:
    """Shows a progress bar on a terminal if there is more than one batch."""
    if console.is_terminal and files > batch_size:
        return track(predictions, "", files, console=console, transient=True)
    return predictions


def predictions_for(
    trained: Trained,
    files: Sequence[File],
    on: torch.device,
    batch_size: int,
    workers: int,
    invert: bool | str,
    explain: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[Prediction]:
    """Predicts `files` in their order, batch by batch. Only a few batches are in memory at a time.

    Args:
        files: paths, or pictures of Pillow.
        explain: from images uint8 [B, C, H, W], as the network sees them, to the pictures of the sheet.

    Raises:
        ValueError: if the outputs of the network are unusable.
    """
    dataset = PictureFiles(files, trained, invert, ON_SHEET)
    for batch in DataLoader(dataset, batch_size, collate_fn=as_list, num_workers=workers):
        images = [loaded.image for loaded in batch if loaded.image is not None]
        results: Iterator[dict[str, Any]] = iter(())
        if images:
            results = iter(results_of(trained, torch.stack(images), on))
            if explain:
                explain_thumbnails(batch, explain)
        yield from (as_prediction(loaded, results) for loaded in batch)


def explain_thumbnails(batch: Sequence[Loaded], explain: Callable[[Tensor], Tensor]) -> None:
    """Replaces the thumbnails in a batch by pictures that explain what the network says."""
    shown = [loaded for loaded in batch if loaded.image is not None and loaded.thumbnail is not None]
    if shown:
        pictures = explain(torch.stack([loaded.image for loaded in shown if loaded.image is not None]))
        for loaded, picture in zip(shown, pictures, strict=True):
            loaded.thumbnail = picture


def results_of(trained: Trained, images: Tensor, on: torch.device) -> list[dict[str, Any]]:
    """What the network says of each image, as the functions of `TASKS` give it.

    Args:
        trained: its network stays on the device.
        images: uint8 [B, C, H, W].
        on: the device.

    Raises:
        ValueError: if the outputs of the network are unusable.
    """
    with torch.inference_mode():
        outputs = trained.network.to(on)(Normalize(trained.data.mean, trained.data.std)(images.to(on)))
    check_outputs(outputs, len(images), trained)
    return TASKS[task_of(trained)](outputs, trained.data)


def as_prediction(loaded: Loaded, results: Iterator[dict[str, Any]]) -> Prediction:
    """The prediction for one file. It takes the next result, unless the file could not be read."""
    if loaded.image is None:
        return Prediction(loaded.file, error=loaded.error)
    result = next(results)
    result = in_pixels(result, loaded.size) if "points" in result else result
    return Prediction(loaded.file, inverted=loaded.inverted, thumbnail=loaded.thumbnail, **result)


def check_outputs(outputs: Any, count: int, trained: Trained) -> None:
    """Raises `ValueError` unless there is one finite output for each picture."""
    if not isinstance(outputs, Tensor) or len(outputs) != count:
        raise ValueError(f"{trained.path}: {trained.architecture.name} does not make one output of each picture")
    if not torch.isfinite(outputs).all():
        raise ValueError(f"{trained.path}: the network's outputs are not finite; its training diverged")
