"""What predict prints and writes: each writer is called with one prediction after the other."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from litlab.checkpoint import Trained
from litlab.console import console, printable
from litlab.files import atomic
from litlab.prediction.tasks import HEADINGS, Prediction, csv_columns, csv_values, kind


def table_printer(files: Sequence[str], trained: Trained) -> Callable[[Prediction], None]:
    headings = HEADINGS[kind(trained.task, trained.data)]
    width = min(60, max(4, *(len(printable(file)) for file in files)))
    widths = [max(len(headings[0]), *(len(printable(name)) for name in trained.data.class_names), 1), len(headings[1])]

    def line(cells: Sequence[str]) -> None:
        padded = [cells[0].ljust(width), *(cell.ljust(w) for cell, w in zip(cells[1:], widths, strict=False))]
        console.print("  ".join([*padded, *cells[len(padded) :]]).rstrip(), markup=False, soft_wrap=True)

    line(["file", *headings])
    return lambda prediction: line(
        [printable(text) for text in (prediction.file, *(prediction.columns or [f"not read: {prediction.error}"]))]
    )


def print_quietly(prediction: Prediction) -> None:
    if prediction.error is None:
        print(*(printable(text) for text in (prediction.file, *prediction.columns[:2]) if text), sep="\t")
    else:
        print(f"{printable(prediction.file)}: {prediction.error}", file=sys.stderr)


@contextmanager
def csv_writer(path: Path, trained: Trained) -> Iterator[Callable[[Prediction], None]]:
    with (
        atomic(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        columns = csv_columns(kind(trained.task, trained.data), trained.data)
        writer.writerow(["file", *columns, "inverted", "error"])
        blank = [""] * len(columns)

        def write(prediction: Prediction) -> None:
            values = blank if prediction.error is not None else csv_values(prediction.values)
            writer.writerow([prediction.file, *values, str(prediction.inverted).lower(), prediction.error or ""])

        yield write


@contextmanager
def json_writer(path: Path) -> Iterator[Callable[[Prediction], None]]:
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        separator = "[\n"

        def write(prediction: Prediction) -> None:
            nonlocal separator
            known = (
                {"error": prediction.error}
                if prediction.error is not None
                else {**prediction.values, "inverted": prediction.inverted}
            )
            file.write(separator + json.dumps({"file": prediction.file, **known}))
            separator = ",\n"

        yield write
        file.write("\n]\n")
