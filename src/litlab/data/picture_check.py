"""When picture files are checked: few of them before the training, very many by the training, while it reads them."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from litlab.data.listing import Listing
from litlab.data.picture_files import why_unreadable
from litlab.data.picture_index import Checked, add_to_index, check_pictures

log = logging.getLogger(__name__)

LARGE = 10_000  # pictures; to open so many before the training takes longer than a few seconds
NAMED = 5  # files that a message names
LOG = "train.log"


class PictureCheck:
    """What is known about the pictures of a data set, in the indexes of its folders.

    Args:
        listings: the files of each folder, N together.
        roots: the folders, as many.
        beside: False to write nothing into them.
        max_bad_fraction: the largest part of the N files that may be unreadable, 0 to 1.
        named_in: the file with the names of all unreadable files, for a message.
    """

    def __init__(
        self,
        listings: Sequence[Listing],
        roots: Sequence[Path],
        beside: bool,
        max_bad_fraction: float,
        named_in: str = LOG,
    ) -> None:
        self.listings, self.roots, self.beside, self.max_bad_fraction = listings, roots, beside, max_bad_fraction
        self.named_in = named_in
        self.files = listings[0].files if len(listings) == 1 else Listing.together(listings).files
        self._looked_at = torch.zeros(len(self.files), dtype=torch.bool)
        self.unreadable: dict[int, str] = {}  # why, by the number of the file

    @property
    def is_large(self) -> bool:
        """Whether training pictures are checked by the training. It depends on nothing but the number of files.

        So two runs draw the same splits, also where only the second one finds an index.
        """
        return len(self.files) >= LARGE

    def readable(self, rows: Tensor | None = None) -> Tensor:
        """Whether each file is a complete picture, bool [N]; see `look`."""
        return torch.from_numpy(self.look(rows).readable)

    def look(self, rows: Tensor | None = None, alone: bool = False) -> Checked:
        """Opens the files that are new, and warns of those that are no complete pictures.

        Args:
            rows: the numbers of the files to check, int64 [M]; None means all. Nothing may be known of the others.
            alone: True if no others will be looked at: `max_bad_fraction` is then a part of these.

        Raises:
            ValueError: too many files are unreadable; the message names some of them.
        """
        parts, first = [], 0
        for listing, root in zip(self.listings, self.roots, strict=True):
            own = None
            if rows is not None:
                own = rows[(rows >= first) & (rows < first + len(listing))].numpy() - first
            parts.append(check_pictures(listing, root, self.beside, own))
            first += len(listing)
        checked = Checked.together(parts)
        self._looked_at[... if rows is None else rows] = True
        looked_at = int(self._looked_at.sum())
        self.report(checked.reasons, looked_at=looked_at, total=looked_at if alone else None)
        return checked

    def report(
        self,
        reasons: dict[int, str],
        logged: Collection[int] = (),
        looked_at: int | None = None,
        total: int | None = None,
    ) -> None:
        """Warns of all files that cannot be read, if some of these are new.

        Args:
            reasons: why, by the number of the file.
            logged: those that the log names already.
            looked_at: how many files were looked at, if the others will be looked at later.
            total: how many will be; None means all.

        Raises:
            ValueError: they are too many; the message names some of them.
        """
        new = sorted(reasons.keys() - self.unreadable.keys())
        if not new:
            return
        for row in new:
            if row not in logged:
                log.warning("unreadable: %s (%s)", self.files.text(row), reasons[row])
        self.unreadable |= reasons
        count, total = len(self.unreadable), len(self.files) if total is None else total
        more = f" and {count - NAMED} more" if count > NAMED else ""
        of = f"{total:,} files"
        if looked_at not in (None, total):
            of = f"{looked_at:,} files (of {total:,}; the training checks the others)"
        note = f"{count:,} of {of} cannot be read: {self._some()}{more}"
        if count > self.max_bad_fraction * total:
            enough = math.ceil(100 * count / total) / 100
            raise ValueError(
                f"max_bad_fraction={self.max_bad_fraction}: {note}; repair or remove them, or skip them with "
                f"data.max_bad_fraction={enough:g}"
            )
        warnings.warn(f"skipped: {note}{f', named in {self.named_in}' if more else ''}", stacklevel=1)

    def _some(self) -> str:
        """The first unreadable files and why, each reason once where they share it."""
        some = [(self.files.text(row), reason) for row, reason in sorted(self.unreadable.items())[:NAMED]]
        if len({reason for _, reason in some}) == 1:
            return f"{', '.join(path for path, _ in some)} ({some[0][1]})"
        return ", ".join(f"{path} ({reason})" for path, reason in some)

    @property
    def unreadable_files(self) -> list[str]:
        """The files that cannot be read, as far as that is known."""
        return [self.files.text(row) for row in sorted(self.unreadable)]

    def reasons(self, rows: Sequence[int]) -> dict[int, str]:
        """Why these files cannot be read, by their numbers. A file that can be read by now is left out."""
        answers = {row: self.unreadable.get(row) or why_unreadable(self.files.text(row)) for row in rows}
        return {row: answer for row, answer in answers.items() if answer}

    def keep(self, rows: Tensor, pixels: Tensor) -> None:
        """Adds to the indexes what the training has read.

        Args:
            rows: the numbers of the files, int64 [M].
            pixels: see `FirstReading`, int32 [M, 2].
        """
        whole = np.zeros((len(self.files), 2), np.int32)
        whole[rows.numpy()] = pixels.clamp(min=0).numpy()
        first = 0
        for listing, root in zip(self.listings, self.roots, strict=True):
            add_to_index(listing, root, whole[first : first + len(listing)], self.beside)
            first += len(listing)


class FirstReading:
    """What is found when a data set is read that nobody has checked before. Processes that load batches share it.

    Args:
        known: width and height of each picture when it is upright, as an index has them, int32 [M, 2]; 0 where it does
            not have them.

    Attributes:
        pixels: the same, with what was found; -1 where a picture cannot be read.
    """

    def __init__(self, known: Tensor) -> None:
        self.pixels = known.clone().share_memory_()
        self._kept = self._count()

    def _count(self) -> int:
        return int((self.pixels[:, 0] > 0).sum())

    def has_news(self) -> bool:
        """Whether pictures were read that no index has, since this was asked last."""
        before, self._kept = self._kept, self._count()
        return self._kept != before

    def note(self, index: int, size: tuple[int, int]) -> None:
        """Notes width and height of a picture, in pixels."""
        self.pixels.numpy()[index] = size

    def note_unreadable(self, index: int, path: str, reason: str) -> None:
        """Notes that a picture cannot be read, and logs its name the first time."""
        if self.pixels.numpy()[index, 0] >= 0:
            log.warning("unreadable: %s (%s)", path, reason)
            self.pixels.numpy()[index] = -1

    @property
    def unreadable(self) -> Tensor:
        """The numbers of the pictures that could not be read, int64."""
        return (self.pixels[:, 0] < 0).nonzero().flatten()


def next_readable(readable: Tensor) -> Tensor:
    """For each picture its own number, or that of the next one that can be read, int64 [M]. The first follows the last.

    Args:
        readable: bool [M], of which one is true at least.
    """
    numbers: np.ndarray = np.where(readable.numpy(), np.arange(len(readable)), len(readable))
    following = np.minimum.accumulate(numbers[::-1])[::-1]
    return torch.from_numpy(np.where(following < len(readable), following, following[0]))
