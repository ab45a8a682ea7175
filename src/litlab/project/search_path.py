"""Where Hydra looks for configs while a command of litlab composes one."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from litlab.project.folder import CONF, Project


@dataclass(frozen=True)
class Searched:
    """The folders with a user's own configs.

    Args:
        before: its files take the place of litlab's.
        after: their files extend litlab's, and cannot replace one.
    """

    before: Path | None = None
    after: tuple[Path, ...] = ()

    @classmethod
    def of(cls, project: Project, own_first: bool) -> "Searched":
        """The configs of a project: in front of litlab's, or behind them."""
        return cls(before=project.conf) if own_first else cls(after=(project.conf,) if project.conf else ())

    @property
    def folders(self) -> list[Path]:
        """All folders, litlab's own among them, in the order in which Hydra looks into them."""
        return [*([self.before] if self.before else []), CONF, *self.after]


# Hydra makes the plugin by itself and gives it nothing. So this says which command is running, in this thread.
_CURRENT: ContextVar[Searched] = ContextVar("searched", default=Searched())  # noqa: B039 (it is frozen)


def searched() -> Searched:
    """The folders of the command that is running; none outside of litlab's commands."""
    return _CURRENT.get()


@contextlib.contextmanager
def searching(folders: Searched) -> Iterator[None]:
    """Makes Hydra look into these folders too, in the block."""
    token = _CURRENT.set(folders)
    try:
        yield
    finally:
        _CURRENT.reset(token)
