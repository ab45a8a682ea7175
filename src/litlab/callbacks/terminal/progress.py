"""A progress bar on a terminal or in a notebook, and one line for each epoch everywhere."""

import math
import time
from datetime import timedelta
from typing import Any

import lightning
from lightning.pytorch.callbacks import ProgressBar
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from litlab.callbacks.find import callback_of
from litlab.callbacks.terminal.lines import epoch_line, fitting, numbered, spoken, validated
from litlab.callbacks.terminal.notebook_bar import WIDTH, NotebookBar
from litlab.callbacks.throughput import Throughput
from litlab.console import console, is_rank_zero, number, say
from litlab.modules import as_float

BAR, LONGEST_BAR = 6, 60  # columns: a terminal of 80 has room for all numbers beside the shorter one
BESIDE = 90  # columns for what stands beside the bar
SILENT_S = 20  # where there is no bar, a line after so long: with the step that ends it, at least every 30 s


class Progress(ProgressBar):
    """Shows loss, validation accuracy, speed and time left, as many of them as the terminal has room for.

    Args:
        refresh_seconds: time between two moves of the bar. Between them, a step costs next to nothing.
        test: the name of the bar of a test pass.
    """

    def __init__(self, refresh_seconds: float = 0.2, test: str = "test") -> None:
        super().__init__()
        self.refresh_seconds = refresh_seconds
        self.test = test
        self._live = (console.is_terminal or console.is_jupyter) and is_rank_zero()
        self._bar: Bar | NotebookBar | None = None
        self._below: NotebookBar | None = None  # the latest bar below the cell of a notebook
        self._task: Any = None
        self._next_refresh = 0.0
        self._next_line = math.inf
        self._finished: int | None = None  # the epoch that needs a line
        self._validated = False  # in this epoch

    def disable(self) -> None:
        self._live = False

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self._started, self._images = time.perf_counter(), pl_module.images_seen
        self._began, self._began_at = self._started, self._done(trainer, 0)
        if trainer.fit_loop.restarted_mid_epoch:  # Lightning does not call on_train_epoch_start for this epoch
            self._start(numbered(trainer, trainer.current_epoch), self.total_train_batches)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self._write_line(trainer)
        self._started, self._images = time.perf_counter(), pl_module.images_seen
        self._start(numbered(trainer, trainer.current_epoch), self.total_train_batches)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        due = self._next_refresh if self._bar is not None else self._next_line
        if (now := time.perf_counter()) >= due:
            images = (pl_module.images_seen - self._images) * trainer.world_size
            running = [f"{name} {number(value)}" for name, value in pl_module.running.items()]
            done = trainer.fit_loop.epoch_loop.batch_progress.current.ready  # of a block, batch_idx is the first
            speed, left = f"{images / (now - self._started):,.0f} img/s", self._left(trainer, done)
            parts = [*running[:1], *validated(trainer), speed, left, *running[1:]]
            if self._bar is not None:
                self._move(done, fitting(parts, console.width - self._frame))
            else:
                self._next_line = now + SILENT_S
                name = numbered(trainer, trainer.current_epoch)
                say("  ".join(filter(None, [name, f"{done:,}/{self.total_train_batches:,} batches", *parts])))

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self._stop()
        self._next_line = math.inf
        # The line is written later: the module computes the metrics of the epoch in its hook, which runs after this.
        self._finished, self._seconds = trainer.current_epoch, time.perf_counter() - self._started
        part = part_of_epoch(trainer)
        self._part = f" ({part})" if part else ""

    def on_train_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._write_line(trainer)

    def on_validation_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if not trainer.sanity_checking:
            self._validated = True
            self._start("validation", sum(trainer.num_val_batches))

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._move(batch_idx + 1)

    def on_test_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._start(self.test, sum(trainer.num_test_batches))

    def on_test_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._move(batch_idx + 1)

    def on_exception(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._stop()
        self._write_line(trainer)

    def teardown(self, *_: Any, **__: Any) -> None:
        self._stop()

    def _write_line(self, trainer: lightning.Trainer) -> None:
        if self._finished is None:
            return
        values = {name: value.item() for name, value in trainer.callback_metrics.items()}
        splits = (
            (split, {k.removeprefix(f"{split}/"): v for k, v in values.items() if k.startswith(f"{split}/")})
            for split in ("train", *["val"] * self._validated)
        )
        metrics = [f"{split}: {spoken(values)}" for split, values in splits if values]
        if is_best(trainer, self._finished + 1):
            metrics[-1] += " (best)"
        throughput, kind = (
            callback_of(trainer, Throughput),
            getattr(getattr(trainer, "datamodule", None), "kind", "images"),
        )
        speed = f"{throughput.last_epoch:,.0f} {kind}/s" if throughput else ""
        parts = (f"{numbered(trainer, self._finished)}{self._part}", metrics, f"{self._seconds:.1f} s", speed)
        whole = epoch_line(*parts, width=2**16)
        say(whole, shown=epoch_line(*parts, width=console.width) if console.is_terminal else whole)
        self._finished, self._validated = None, False

    def _start(self, label: str, total: Any) -> None:
        self._stop()
        trains = label.startswith("epoch")
        self._next_line = time.perf_counter() + SILENT_S if trains and not self._live else math.inf
        if self._live and console.is_jupyter:
            self._frame = len(f"{label} {' ' * WIDTH} {total}/{total} ")
            self._bar = self._below = NotebookBar(label, total if isinstance(total, int) else None, self._below)
            self._bar.start()
        elif self._live:
            bar = min(max(BAR, console.width - BESIDE), LONGEST_BAR)
            columns = (TextColumn("{task.description}"), BarColumn(bar_width=bar), MofNCompleteColumn())
            self._frame = len(f"{label} {' ' * bar} {total}/{total} ")  # characters before the numbers
            shown = Bar(*columns, TextColumn("{task.fields[note]}"), console=console, transient=True)
            self._task = shown.add_task(label, total=total if isinstance(total, int) else None, note="")
            self._bar = shown
            self._bar.start()

    def _move(self, done: int, note: str = "") -> None:
        if self._bar is not None and (now := time.perf_counter()) >= self._next_refresh:
            self._next_refresh = now + self.refresh_seconds
            self._bar.update(self._task, completed=done, note=note)

    def _done(self, trainer: lightning.Trainer, batches: int) -> float:
        """Finished epochs, and the finished part of the current one."""
        total = self.total_train_batches
        return trainer.current_epoch + (batches / total if isinstance(total, int) and total else 0.0)

    def _left(self, trainer: lightning.Trainer, batches: int) -> str:
        done, epochs = self._done(trainer, batches), trainer.max_epochs or -1
        if epochs < 0 or done <= self._began_at:
            return ""
        seconds = (time.perf_counter() - self._began) * (epochs - done) / (done - self._began_at)
        return f"{str(timedelta(seconds=round(seconds))).removeprefix('0:')} left"

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def part_of_epoch(trainer: lightning.Trainer) -> str:
    """`20 of 55 batches`, if the training has ended within its last epoch; else nothing."""
    done, total = trainer.fit_loop.epoch_loop.batch_progress.current.ready, trainer.num_training_batches
    return f"{done} of {total} batches" if isinstance(total, int) and 0 < done < total else ""


def is_best(trainer: lightning.Trainer, epoch: int) -> bool:
    """Whether the epoch that has just ended, or its last validation, is the best so far, by the objective.

    Args:
        epoch: its number, from 1.
    """
    for saves in trainer.checkpoint_callbacks:
        if not trainer.global_step or getattr(saves, "best_step", None) is None:  # Prune is one too
            continue
        best: Any = saves
        found = trainer.callback_metrics.get(best.monitor)
        is_found = found is not None and as_float(found) == best.best_score
        if best.best_step == trainer.global_step or (best.best_epoch == epoch and is_found):
            return True
    return False
