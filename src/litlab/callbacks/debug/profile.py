"""Where the time of a training step goes."""

import cProfile
import math
import os
import pstats
from pathlib import Path
from typing import Any

import lightning
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from litlab.console import PLAIN, say
from litlab.files import shown

SHOWN, WRITTEN = 10, 100  # rows on the terminal, and in profile.txt

Row = tuple[str, float, float]  # name, seconds without what it calls, calls


class Profile(lightning.Callback):
    """Measures training steps twice: by operation of torch, and by function of Python.

    The tables are printed. `profile.txt` in the run folder has longer ones, and `trace.json` each call of each
    operation, for a viewer of traces such as Perfetto.

    Args:
        save_dir: the run folder.
        skip: steps before the first measurement, in which memory is allocated and kernels are chosen.
        steps: of each of the two measurements.
    """

    def __init__(self, save_dir: str | Path, skip: int = 5, steps: int = 20) -> None:
        self.save_dir = Path(save_dir)
        self.skip, self.steps = skip, steps
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler would print that there is no GPU
        self._operations: Any = None
        self._functions: cProfile.Profile | None = None
        self._done = 0

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if self._done == self.skip:
            gpu = [ProfilerActivity.CUDA] if trainer.strategy.root_device.type == "cuda" else []
            self._operations = profile(activities=[ProfilerActivity.CPU, *gpu])
            self._operations.start()
        elif self._done == self.skip + self.steps:
            self._operations.stop()
            self._functions = cProfile.Profile()
            self._functions.enable()
        elif self._done == self.skip + 2 * self.steps and self._functions is not None:
            self._functions.disable()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._done += 1

    def on_train_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        needed = self.skip + 2 * self.steps
        if self._functions is None or self._done < needed:
            if self._operations is not None and self._functions is None:
                self._operations.stop()
            if 0 < trainer.max_steps <= self._done:
                advice = f"write trainer.max_steps={needed}"
            else:
                advice = f"write trainer.max_epochs={math.ceil(needed / trainer.num_training_batches)}"
            say(f"profile       there were {self._done} steps, and {needed} are needed: {advice}")
            return
        self._functions.disable()
        found = [("operation", self._by_operation()), ("function", self._by_function())]
        if not trainer.is_global_zero:
            return
        for what, rows in found:
            say(self._table(what, rows, SHOWN))
        with (self.save_dir / "profile.txt").open("w", encoding="utf-8") as file:
            page = Console(**PLAIN, file=file, width=140)
            for what, rows in found:
                page.print(self._table(what, rows, WRITTEN))
        self._operations.export_chrome_trace(str(self.save_dir / "trace.json"))
        say(f"profile       {shown(self.save_dir / 'profile.txt')} has longer tables, trace.json each call")

    def _by_operation(self) -> list[Row]:
        """Name, seconds and calls of each operation, the slowest first. On a GPU, the seconds are those of the GPU."""
        events = self._operations.key_averages()
        on_gpu = any(event.self_device_time_total for event in events)
        field = "self_device_time_total" if on_gpu else "self_cpu_time_total"
        rows = [(event.key, getattr(event, field) * 1e-6, float(event.count)) for event in events]
        return sorted((row for row in rows if row[1]), key=lambda row: -row[1])

    def _by_function(self) -> list[Row]:
        """Place, seconds and calls of each function, without those that it calls."""
        assert self._functions is not None
        stats: dict[Any, Any] = pstats.Stats(self._functions).stats  # type: ignore[attr-defined]
        rows = [(place(*where), float(seconds), float(calls)) for where, (_, calls, seconds, *_) in stats.items()]
        return sorted(rows, key=lambda row: -row[1])

    def _table(self, what: str, rows: list[Row], count: int) -> Table:
        """The first rows, each for one step."""
        total = sum(seconds for _, seconds, _ in rows)
        shown = Table(box=SIMPLE_HEAD)
        shown.add_column(what, overflow="fold")
        for heading in ("ms a step", "share", "calls a step"):
            shown.add_column(heading, justify="right", no_wrap=True)
        for name, seconds, calls in rows[:count]:
            step = seconds * 1e3 / self.steps
            shown.add_row(name, f"{step:.3f}", f"{seconds / total:.1%}", f"{calls / self.steps:,.1f}")
        return shown


def place(file: str, line: int, name: str) -> str:
    """Where a function is, in short: `modules/supervised.py:74 step`."""
    return f"{'/'.join(Path(file).parts[-2:])}:{line} {name}" if line else name
