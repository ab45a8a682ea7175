"""Prints predictions, and writes them to files. Each writer is a function that takes one prediction after the other."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.cells import cell_len

from litlab.checkpoint import Trained
from litlab.console import console, leave_standard_output, printable
from litlab.figures import Marks, Picture, as_png, sheet
from litlab.files import atomic
from litlab.prediction.tasks import HEADINGS, Prediction, csv_columns, csv_values, task_of

CSV, JSON, SHEET = "predictions.csv", "predictions.json", "predictions.png"
POINTS = "#D55E00"  # as on the page of a run
WIDEST = 60  # cells of the column of files
HELD_BACK = 64  # rows of a table whose columns are not known yet
ON_SHEET = 64  # pictures on a sheet; with more files, it shows some from all over the list
Writer = Callable[[Prediction], None]


@contextmanager
def table_printer(files: Sequence[str], trained: Trained) -> Iterator[Writer]:
    """Prints a table with a row for each prediction.

    Where pictures may have several labels, the first `HELD_BACK` rows are printed together. The columns become as wide
    as these rows need it. A later row with more labels is longer, and loses none.
    """
    headings = HEADINGS[task_of(trained)]
    width = min(WIDEST, max(4, *(cell_len(printable(file)) for file in files)))
    widths = [
        max(len(headings[0]), *(cell_len(printable(name)) for name in trained.data.class_names), 1),
        len(headings[1]),
    ]
    held_back: list[list[str]] = []
    holding = task_of(trained) == "Multilabel"

    def line(cells: Sequence[str]) -> None:
        padded = [_padded(cell, cells_wide) for cell, cells_wide in zip(cells, [width, *widths], strict=False)]
        console.print("  ".join([*padded, *cells[len(padded) :]]).rstrip(), markup=False, soft_wrap=True)

    def print_held_back() -> None:
        nonlocal holding
        read = [cells for cells in held_back if len(cells) > 2]  # the others say why their file could not be read
        for column in range(len(widths)):
            widths[column] = max(widths[column], *(cell_len(cells[1 + column]) for cells in read), 0)
        for cells in (["file", *headings], *held_back):
            line(cells)
        holding = False

    def write(prediction: Prediction) -> None:
        columns = prediction.columns or [f"not read: {prediction.error}"]
        cells = [_shortened(printable(prediction.file)), *(printable(text) for text in columns)]
        if not holding:
            line(cells)
            return
        held_back.append(cells)
        if len(held_back) == HELD_BACK:
            print_held_back()

    if not holding:
        line(["file", *headings])
    try:
        yield write
    finally:
        if holding:
            print_held_back()


def _padded(text: str, width: int) -> str:
    """A text with spaces behind it. A Chinese character takes two cells of a terminal."""
    return text + " " * (width - cell_len(text))


def _shortened(file: str) -> str:
    """A path that fits into its column. Its end is kept, which says more."""
    if cell_len(file) <= WIDEST:
        return file
    start = max(0, len(file) - WIDEST)
    while cell_len(file[start:]) > WIDEST - 3:
        start += 1
    return f"...{file[start:]}"


def print_quietly(prediction: Prediction) -> None:
    """Prints file, class and probability with tabs between them, for a shell.

    Its reader may leave, as in `python predict.py ... | head`. The files are written nevertheless.
    """
    if prediction.error is None:
        try:
            print(
                *(printable(text) for text in (prediction.file, *prediction.columns[:2]) if text), sep="\t", flush=True
            )
        except BrokenPipeError:
            leave_standard_output()
    else:
        print(f"{printable(prediction.file)}: {prediction.error}", file=sys.stderr)


@contextmanager
def csv_writer(path: Path, trained: Trained) -> Iterator[Writer]:
    """Writes a row for each prediction. The file appears when all of them are written."""
    with (
        atomic(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        columns = csv_columns(trained)
        writer.writerow(["file", *columns, "inverted", "error"])
        blank = [""] * len(columns)

        def write(prediction: Prediction) -> None:
            values = blank if prediction.error is not None else csv_values(prediction.values)
            writer.writerow([prediction.file, *values, str(prediction.inverted).lower(), prediction.error or ""])

        yield write


@contextmanager
def json_writer(path: Path) -> Iterator[Writer]:
    """Writes a list with an object for each prediction. The file appears when all of them are written."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        separator = "[\n"

        def write(prediction: Prediction) -> None:
            nonlocal separator
            if prediction.error is None:
                values = {**prediction.values, "inverted": prediction.inverted}
            else:
                values = {"error": prediction.error}
            file.write(separator + json.dumps({"file": prediction.file, **values}))
            separator = ",\n"

        yield write
        file.write("\n]\n")


class Sheet:
    """Collects the predictions that have a thumbnail, and draws them on one sheet.

    Args:
        files: the number of all files.
    """

    def __init__(self, files: int) -> None:
        self.files = files
        self.pictures: list[Picture] = []

    def add(self, prediction: Prediction) -> None:
        if prediction.thumbnail is None:
            return
        caption = f"{prediction.label}\n{printable(Path(prediction.file).name)}".strip()
        marks = [Marks(prediction.points, POINTS, "cross")] if prediction.points is not None else []
        self.pictures.append(Picture(prediction.thumbnail, caption, marks=marks))

    def write(self, path: Path) -> bool:
        """Draws the sheet. If there is no picture to draw, deletes that of an earlier call and returns False."""
        if not self.pictures:
            path.unlink(missing_ok=True)
            return False
        title = f"{len(self.pictures)} of {self.files:,} files" if self.files > ON_SHEET else ""
        path.write_bytes(as_png(sheet(self.pictures, title, fold=True)))
        return True
