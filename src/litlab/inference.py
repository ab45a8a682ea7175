"""Pictures in, answers out: `python predict.py ckpt=... input=...`."""

import csv
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from PIL import Image
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from litlab import checkpoint, console, evaluation, export, figures
from litlab.answers import ANSWERS, HEADINGS, Answer, csv_columns, csv_values, kind
from litlab.checkpoint import Trained, atomic
from litlab.cli import RunFailed
from litlab.config import ConfigError
from litlab.console import one_line
from litlab.data import Normalize, Unreadable, fit, open_picture
from litlab.runs import find_checkpoint
from litlab.settings import device, find_files, output_folder, trust_list
from litlab.trust import printable

ON_SHEET = 64  # pictures; with more, the sheet shows the first ones and the failed files are left out
THUMBNAIL = 160  # pixels
MANY = 64  # files from which workers pay for their start

# Of 256 levels of grey:
NEAR = 8  # that a border may differ from the training images' background
FAINT = 32  # of contrast that ink has at least: less is the grain of an empty sheet, and stays faint
SPECKS = 0.005  # of the pixels that may be darker, or lighter, than paper and ink: dust, or glare


def run(cfg: DictConfig) -> None:
    """Does the one of predict, evaluate and export that `cfg` asks for.

    Raises:
        ConfigError: for a wrong setting, or a checkpoint that cannot be used.
        RunFailed: if a file could not be read, among others.
    """
    console.quieten()
    asked = [key for key in ("input", "evaluate") if cfg[key] is not None]
    asked += ["export"] if cfg.export.format else []
    if not asked:
        raise ConfigError("nothing to do: give input=PICTURE, evaluate=test or export=onnx")
    if asked not in (["input"], ["evaluate"], ["export"], ["input", "export"]):  # an export is checked on the input
        raise ConfigError(f"{' and '.join(asked)} at once: one of them at a time")
    if cfg.evaluate not in (None, "train", "val", "test"):
        raise ConfigError(f"evaluate={cfg.evaluate}: must be train, val or test")
    if cfg.invert not in (True, False, "auto"):
        raise ConfigError(f"invert={cfg.invert}: must be auto, true or false")
    try:
        trained = checkpoint.load(find_checkpoint(str(cfg.ckpt)), trust_list(cfg))
        if cfg.export.format:
            export.run(trained, cfg)
        elif cfg.evaluate:
            evaluation.run(trained, cfg)
        else:
            predict(trained, cfg)
    except (ValueError, OSError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(one_line(error)) from error
    except RuntimeError as error:  # out of memory, or a worker that was killed
        raise RunFailed(one_line(error)) from error
    except KeyboardInterrupt as error:
        raise RunFailed("stopped by SIGINT", 128 + signal.SIGINT) from error


@dataclass
class Loaded:
    """A file as a worker hands it over: an image uint8 [C, H, W] or an error, and a small version to look at."""

    file: str
    image: Tensor | None = None
    inverted: bool = False
    error: str | None = None
    thumbnail: Tensor | None = None  # uint8 [3, h, w]


class PictureFiles(Dataset[Loaded]):
    """Files as the network sees them; none of them raises.

    Args:
        files: paths.
        trained: what shape, and what background, the network knows.
        invert: `True`, `False`, or `"auto"`: see `on_background`, where the training images have one in common.
        thumbnails: for how many of the first files.
    """

    def __init__(self, files: Sequence[str], trained: Trained, invert: bool | str, thumbnails: int) -> None:
        self.files, self.data, self.invert, self.thumbnails = files, trained.data, invert, thumbnails

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Loaded:
        file = self.files[index]
        try:
            picture = open_picture(file)
            image = fit(picture, self.data.input_shape, self.data.preprocess)
        except Unreadable as error:
            return Loaded(file, error=printable(str(error)))
        inverted = self.invert is True
        if inverted:
            image = 255 - image
        elif self.invert == "auto" and self.data.background is not None:
            image, inverted = on_background(image, self.data.background)
        return Loaded(file, image, inverted, thumbnail=_thumbnail(picture) if index < self.thumbnails else None)


def on_background(image: Tensor, background: int) -> tuple[Tensor, bool]:
    """A photo as an image of the training: the paper becomes the `background`, the ink white on dark, black on light.

    The paper is what the border is, the ink what is furthest from it, whichever is lighter. An image whose border is
    the background already stays as it is.

    Args:
        image: uint8 [C, H, W].
        background: brightness, 0 to 255.

    Returns:
        The image, uint8 [C, H, W], and whether light and dark have changed places.
    """
    paper = torch.cat((image[:, [0, -1]].flatten(), image[:, :, [0, -1]].flatten())).median().item()
    if abs(paper - background) < NEAR:
        return image, False
    away = image.flatten().float() - paper
    few = int(SPECKS * len(away))
    darkest, lightest = (away.kthvalue(k).values.item() for k in (few + 1, len(away) - few))
    ink = lightest if lightest > -darkest else darkest
    contrast = (0 if background > 127 else 255) - background
    scale = contrast / math.copysign(max(abs(ink), FAINT), ink)
    onto = (background + away * scale).round().clamp(0, 255).to(torch.uint8).view_as(image)
    return onto, ink * contrast < 0


def _thumbnail(picture: Image.Image) -> Tensor:
    scale = min(1.0, THUMBNAIL / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.resize(size, Image.Resampling.BILINEAR).convert("RGB")
    return torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(size[1], size[0], 3).permute(2, 0, 1)


def as_list(batch: list[Loaded]) -> list[Loaded]:
    """A batch is a list: some of its files may have no image."""
    return batch


# Prediction


def answers_for(
    trained: Trained, files: Sequence[str], on: torch.device, batch_size: int, workers: int, invert: bool | str
) -> Iterator[tuple[Answer, Loaded]]:
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
                yield Answer(loaded.file, error=loaded.error), loaded
            else:
                yield Answer(loaded.file, inverted=loaded.inverted, **next(known)), loaded


def predict(trained: Trained, cfg: DictConfig) -> None:
    """Prints and writes what the network makes of each file of `input`.

    Raises:
        ConfigError: if nothing can be predicted as asked.
        RunFailed: with status 1 if some files could not be read, 2 if none could.
    """
    if not isinstance(cfg.batch_size, int) or cfg.batch_size < 1:
        raise ConfigError(f"batch_size={cfg.batch_size}: must be a whole number above 0")
    if cfg.num_workers is not None and not (isinstance(cfg.num_workers, int) and cfg.num_workers >= 0):
        raise ConfigError(f"num_workers={cfg.num_workers}: must be a whole number, at least 0, or null")
    files, on, folder = find_files(cfg), device(cfg), output_folder(cfg, "predictions")
    workers = cfg.num_workers
    if workers is None:
        workers = min(4, os.cpu_count() or 1) if len(files) >= MANY else 0
    if not cfg.quiet:
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in trained.metrics.items() if name.startswith("val/"))
        console.console.print(
            f"{trained.path}: {trained.architecture.name.rpartition('.')[2]} trained on {trained.data.name}"
            + (f" ({metrics})" if metrics else ""),
            markup=False,
        )
    failed = inverted = 0
    shown: list[figures.Picture] = []
    with ExitStack() as stack:
        say = _quiet if cfg.quiet else _table(files, trained)
        write_csv = stack.enter_context(_csv(folder / "predictions.csv", trained))
        write_json = stack.enter_context(_json(folder / "predictions.json"))
        rows = answers_for(trained, files, on, cfg.batch_size, workers, cfg.invert)
        live = console.console.is_terminal and not cfg.quiet and len(files) > cfg.batch_size
        for answer, loaded in track(rows, "", len(files), console=console.console, transient=True) if live else rows:
            failed += answer.error is not None
            inverted += answer.inverted
            for write in (say, write_csv, write_json):
                write(answer)
            if loaded.thumbnail is not None:
                name = printable(Path(answer.file).name)
                label = f"{answer.label}\n{name if len(name) < 22 else name[:20] + '...'}".strip()
                shown.append(figures.Picture(loaded.thumbnail, label, answer.points))
    if shown:
        more = f"the first {len(shown)} of {len(files):,} files" if len(files) > ON_SHEET else ""
        figures.sheet(shown, folder / "predictions.png", more)
    if not cfg.quiet:
        if cfg.invert == "auto" and trained.data.background is not None:
            kind = "dark" if trained.data.background < 128 else "light"
            console.console.print(
                f"invert=auto: {inverted} of {len(files) - failed} pictures inverted "
                f"({trained.data.name} has a {kind} background)"
            )
        made = ", ".join(f"predictions.{kind}" for kind in ("csv", "json", *(["png"] if shown else [])))
        console.console.print(f"written to {folder}: {made}", markup=False)
    if failed == len(files):
        raise RunFailed("no file could be read", 2)
    if failed:
        raise RunFailed(f"{failed} of {len(files):,} files could not be read")


def _checked(outputs: Any, count: int, trained: Trained) -> list[dict[str, Any]]:
    if not isinstance(outputs, Tensor) or len(outputs) != count:
        raise ValueError(f"{trained.path}: {trained.architecture.name} does not make one output of each picture")
    if not torch.isfinite(outputs).all():
        raise ValueError(f"{trained.path}: the network's outputs are not finite; its training diverged")
    return ANSWERS[kind(trained.task, trained.data)](outputs, trained.data)


# What is shown and written: each is called with one answer after the other.


def _table(files: Sequence[str], trained: Trained) -> Callable[[Answer], None]:
    headings = HEADINGS[kind(trained.task, trained.data)]
    width = min(60, max(4, *(len(printable(file)) for file in files)))
    widths = [max(len(headings[0]), *(len(printable(name)) for name in trained.data.class_names), 1), len(headings[1])]

    def line(cells: Sequence[str]) -> None:
        padded = [cells[0].ljust(width), *(cell.ljust(w) for cell, w in zip(cells[1:], widths, strict=False))]
        console.console.print("  ".join([*padded, *cells[len(padded) :]]).rstrip(), markup=False, soft_wrap=True)

    line(["file", *headings])
    return lambda answer: line(
        [printable(text) for text in (answer.file, *(answer.columns or [f"not read: {answer.error}"]))]
    )


def _quiet(answer: Answer) -> None:
    if answer.error is None:
        print(*(printable(text) for text in (answer.file, *answer.columns[:2]) if text), sep="\t")
    else:
        print(f"{printable(answer.file)}: {answer.error}", file=sys.stderr)


@contextmanager
def _csv(path: Path, trained: Trained) -> Iterator[Callable[[Answer], None]]:
    with (
        atomic(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        columns = csv_columns(kind(trained.task, trained.data), trained.data)
        writer.writerow(["file", *columns, "inverted", "error"])
        blank = [""] * len(columns)

        def write(answer: Answer) -> None:
            values = blank if answer.error is not None else csv_values(answer.values)
            writer.writerow([answer.file, *values, str(answer.inverted).lower(), answer.error or ""])

        yield write


@contextmanager
def _json(path: Path) -> Iterator[Callable[[Answer], None]]:
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        separator = "[\n"

        def write(answer: Answer) -> None:
            nonlocal separator
            known = (
                {"error": answer.error} if answer.error is not None else {**answer.values, "inverted": answer.inverted}
            )
            file.write(separator + json.dumps({"file": answer.file, **known}))
            separator = ",\n"

        yield write
        file.write("\n]\n")
