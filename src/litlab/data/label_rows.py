"""Reads a CSV file that names pictures and their labels. Each mistake in it is one line, with its number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from litlab.data.arguments import check_listed_once, text_of
from litlab.data.drawn_splits import SPLITS

COLUMNS = {"file": True, "label": True, "split": False}  # whether a file must have it


class Row(NamedTuple):
    """A picture of the file.

    Args:
        line: where its row begins, from 1.
        file: its path, as it is written.
        label: the cell, which may be empty.
        split: `train`, `val`, `test`, or empty.
    """

    line: int
    file: str
    label: str
    split: str


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file with the columns `file`, `label` and, if there is one, `split`. Others are left out.

    Raises:
        ValueError: the file is no CSV in UTF-8, a column is missing, or there are no rows. Or a row is wrong: it has
            another number of cells, its split has another name, or its picture is listed twice. The message names the
            file and the line.
    """
    records = _records(path)
    _, header = next(records, (1, []))
    columns = _columns(path, header)
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for line, record in records:
        if len(record) != len(header):
            counts = f"{len(record)} cell{'s' * (len(record) > 1)} and the first line {len(header)}"
            hint = "a cell with a comma needs quotes" if len(record) > len(header) else "an empty cell needs its comma"
            raise ValueError(f"file {path}, line {line}: has {counts}; {hint}")
        cells = {name: record[number].strip() for name, number in columns.items()}
        row = Row(line, cells["file"], cells["label"], cells.get("split", ""))
        _check(path, row, seen)
        rows.append(row)
    if not rows:
        raise ValueError(f"file {path}: is empty: each line below the first must name a picture")
    return rows


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not empty, each with the number of the line where it begins."""
    reader = csv.reader(io.StringIO(text_of("file", path), newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise ValueError(f"file {path}, line {line}: is not CSV: {error}") from None
        if record is None:
            return
        if any(cell.strip() for cell in record):
            yield line, record


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    """The number of each column that is read."""
    names = [name.strip().lower() for name in header]
    for name, needed in COLUMNS.items():
        if names.count(name) > 1 or (needed and name not in names):
            found = ", ".join(map(repr, header)) or "nothing"
            raise ValueError(f"file {path}: the first line must name one column {name}, between commas, not {found}")
    return {name: names.index(name) for name in COLUMNS if name in names}


def _check(path: Path, row: Row, seen: dict[str, int]) -> None:
    """Refuses a row that says nothing certain about one picture.

    Args:
        seen: the line of each picture before this one; this one is added.
    """
    if not row.file:
        raise ValueError(f"file {path}, line {row.line}: names no file")
    if row.split not in (*SPLITS, ""):
        raise ValueError(f"file {path}, line {row.line}: split must be train, val, test or empty, not {row.split!r}")
    check_listed_once(row.file, row.line, f"file {path}, line {row.line}", seen)


def labels_in(cell: str, separator: str) -> list[str]:
    """The labels of a cell, without the spaces around them. Each is there once."""
    return [label for label in dict.fromkeys(part.strip() for part in cell.split(separator)) if label]
