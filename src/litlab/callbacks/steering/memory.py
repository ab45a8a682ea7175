"""Memory of the CPU that one training step leaves to the next."""

import ctypes
from typing import Any

import lightning

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # numbers in glibc's malloc.h
DEFAULT = {M_TRIM_THRESHOLD: 128 * 1024, M_MMAP_MAX: 65536}
KEEP = {M_TRIM_THRESHOLD: 2**31 - 1, M_MMAP_MAX: 0}


class KeepMemory(lightning.Callback):
    """Lets the tensors of a training step on the CPU use the memory of the step before.

    By default, glibc gives each large block back to the kernel, and the kernel must clear other pages for the next
    block. With batches of 1,000 colour images that takes a third of the time. During evaluation the default is set
    again: its blocks have other sizes and would add to the peak. With another C library, nothing is done.
    """

    def __init__(self) -> None:
        try:
            self._libc: Any = ctypes.CDLL(None)
        except (OSError, TypeError):  # Windows
            self._libc = None
        self._works = hasattr(self._libc, "mallopt") and hasattr(self._libc, "malloc_trim")

    def on_train_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._works &= trainer.strategy.root_device.type == "cpu"
        self._set(KEEP)

    def on_validation_start(self, *_: Any) -> None:
        self._set(DEFAULT)

    def on_validation_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._set(KEEP)

    def on_train_end(self, *_: Any) -> None:
        self._set(DEFAULT)

    def _set(self, options: dict[int, int]) -> None:
        if self._works:
            self._libc.malloc_trim(0)
            for option, value in options.items():
                self._libc.mallopt(option, value)
