"""Why a training ended: one word for `result.json`, and the last line in words."""

from collections.abc import Mapping
from typing import Any

import lightning
from lightning.pytorch.callbacks import EarlyStopping, Timer

from litlab.callbacks import callback_of
from litlab.config import Run


def trained_epochs(trainer: lightning.Trainer) -> int:
    """The epochs that a training has ended, in all its starts."""
    epochs: int = trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]
    return epochs


def stopped_by(trainer: lightning.Trainer, pruned: bool, whole: int) -> str | None:
    """What ended a training: max_epochs, max_steps, max_time, early_stopping or pruned; None if a callback of a user.

    Args:
        pruned: whether the sweep has ended it.
        whole: epochs that were trained to their end, in all starts.
    """
    timer = callback_of(trainer, Timer)
    if pruned:
        return "pruned"
    if trainer.max_epochs not in (None, -1) and whole >= trainer.max_epochs:
        return "max_epochs"
    if trainer.max_steps != -1 and trainer.global_step >= trainer.max_steps:
        return "max_steps"
    if timer is not None and (timer.time_remaining() or 0) <= 0:
        return "max_time"
    return "early_stopping" if callback_of(trainer, EarlyStopping) else None


def in_words(word: str, run: Run) -> str:
    """`early_stopping (val/acc, patience 5 validations)`, `max_steps (100)`."""
    if word == "early_stopping":
        setting = run.get("callbacks.early_stopping")
        if not setting:
            return word
        validations = f"validation{'s' * (setting.patience != 1)}"  # of which an epoch may have several
        return f"{word} ({setting.monitor}, patience {setting.patience} {validations})"
    value = run.get(f"trainer.{word}")
    if isinstance(value, Mapping):  # of max_time
        value = ", ".join(f"{number} {unit}" for unit, number in value.items())
    return f"{word} ({value})" if value is not None else word


def how_it_ended(run: Run, result: dict[str, Any], whole: int, cut_short: bool, kind: str = "images") -> list[str]:
    """How a run ended, for its last line and its page: the epochs, the seconds, the speed, and what stopped it.

    Args:
        result: the content of `result.json`.
        whole: epochs that were trained to their end.
        cut_short: whether the run ended within the epoch after them.
        kind: what an input is called.
    """
    epochs = f"{whole} epoch{'s' * (whole != 1)}{' and a part of one' * cut_short}"
    if not whole and result["steps"]:
        epochs = f"{result['steps']:,} step{'s' * (result['steps'] != 1)} of the first epoch"
    after = f"after {epochs}" if whole or result["steps"] else "before the end of the first step"
    word = result["stopped_by"]
    why = [f"stopped by {in_words(word, run)}"] if result["status"] == "completed" and word not in ENOUGH else []
    speed = f"{result['images_per_second']:,.0f} {kind}/s"
    return [f"{result['status']} {after}", f"{result['seconds']:,.0f} s", speed, *why]


def last_line(ended: list[str]) -> str:
    """The same in one line, with a semicolon before what stopped the run."""
    return ", ".join(ended[:3]) + "".join(f"; {why}" for why in ended[3:])


def nothing_to_train(run: Run, word: str | None) -> str:
    """Says why a resumed run had nothing left to do, and what to change."""
    if word is None or word not in CHANGE:
        return "nothing to train: the run had ended"
    return f"nothing to train: the run was stopped by {in_words(word, run)}; to go on, give another {CHANGE[word]}"


ENOUGH = (None, "max_epochs")  # what the number of epochs says already
CHANGE = {  # the settings with which a run goes on
    "max_epochs": "trainer.max_epochs",
    "max_steps": "trainer.max_steps",
    "max_time": "trainer.max_time",
    "early_stopping": "callbacks.early_stopping.patience",
}
