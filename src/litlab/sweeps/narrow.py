"""A table for terminals of any width: no value in it is ever cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

UNBOUNDED = 10_000  # characters: wider than any table


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: its heading.
        values: one for each row.
        short: the heading where the terminal is narrow; empty for the same.
        may_go: whether the column is left out where the terminal is narrower still.
        folds: whether values may take several lines where nothing else helps.
        is_text: its values stand at the left.
    """

    name: str
    values: Sequence[str]
    short: str = ""
    may_go: bool = False
    folds: bool = False
    is_text: bool = False


class NarrowTable:
    """Headings become shorter in a narrow terminal, then columns are left out, from the left, and at last values fold.

    In a file or a pipe, where nobody sees an edge, the lines of a table that does not fit are longer instead.

    Args:
        columns: with equally many values.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        tables, unbounded = list(self._tables()), options.update(max_width=UNBOUNDED)
        fitting = (t for t in tables if console.measure(t, options=unbounded).maximum <= options.max_width)
        if table := next(fitting, None):
            yield table
        elif console.is_terminal:
            yield tables[-1]
        else:
            yield from console.render(tables[1], unbounded)

    def _tables(self) -> Iterator[Table]:
        """The whole table, and then narrower ones."""
        yield _table(self.columns, short=False)
        kept = list(self.columns)
        yield _table(kept, short=True)
        for column in self.columns:
            if column.may_go:
                kept.remove(column)
                yield _table(kept, short=True)


def _table(columns: Sequence[Column], short: bool) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        heading, justify = (short and column.short) or column.name, "left" if column.is_text else "right"
        table.add_column(heading, justify=justify, no_wrap=not column.folds, overflow="fold")  # type: ignore[arg-type]
    for row in zip(*(column.values for column in columns), strict=True):
        table.add_row(*row)
    return table
