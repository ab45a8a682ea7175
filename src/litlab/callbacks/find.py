"""Finds a callback of a trainer."""

from typing import TypeVar

import lightning

Kind = TypeVar("Kind", bound=lightning.Callback)


def callback_of(trainer: lightning.Trainer, kind: type[Kind]) -> Kind | None:
    """The first callback of this class, or None."""
    return next((callback for callback in trainer.callbacks if isinstance(callback, kind)), None)  # type: ignore[attr-defined]
