"""The progress bar in a notebook: one line of text, which is written anew. rich's own bar needs ipywidgets."""

from typing import Any

WIDTH = 20  # characters of the bar


class NotebookBar:
    """One line below a cell, for all passes of a run, one after the other. Its methods are those of rich's `Progress`.

    Args:
        label: of the pass that begins, such as `epoch 2/5`.
        total: number of batches; None: unknown.
        before: the bar of the pass before, whose line goes on.
    """

    def __init__(self, label: str, total: int | None, before: "NotebookBar | None" = None) -> None:
        self.label, self.total = label, total
        self._line: Any = before._line if before else None

    def start(self) -> None:
        """Shows a bar that has not moved."""
        self._show(self._text(0, ""))

    def update(self, task: Any, completed: int, note: str) -> None:
        """Moves the bar: `completed` batches are done, and `note` stands beside it. There is one task."""
        self._show(self._text(completed, note))

    def stop(self) -> None:
        """Empties the line."""
        self._show("")

    def _text(self, done: int, note: str) -> str:
        if self.total is None:
            return f"{self.label} {done} {note}"
        full = round(WIDTH * done / max(1, self.total))
        return f"{self.label} {'━' * full}{'╌' * (WIDTH - full)} {done}/{self.total} {note}"

    def _show(self, text: str) -> None:
        from IPython.display import display  # it is there in every notebook, and nowhere else

        shown = {"text/plain": text}
        if self._line is None:
            self._line = display(shown, raw=True, display_id=True)
        else:
            self._line.update(shown, raw=True)
