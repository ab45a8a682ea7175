"""`data.device`: images in memory are copied to the GPU that trains, if they fit."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor

from litlab.data.in_memory import ImageDataset

SHARE_OF_GPU = 0.25  # of the free memory of a GPU, that `device=auto` may use

Images = TypeVar("Images", bound=ImageDataset)


class Placement:
    """Where the images of data sets in memory are kept.

    Args:
        device: `cpu`, `gpu` (the GPU that trains), or `auto`: on the GPU if they take at most a quarter of its free
            memory.

    Raises:
        ValueError: it is something else.
    """

    def __init__(self, device: Any) -> None:
        if device not in ("auto", "cpu", "gpu"):
            raise ValueError(f"device must be auto, cpu or gpu, not {device!r}")
        self.device = device
        self._moved: dict[tuple[int, torch.device], Tensor] = {}

    def of(self, dataset: Images, device: torch.device) -> Images:
        """The data set from which a training on `device` takes its images: a copy there, or itself.

        Raises:
            ValueError: the images must be on a GPU, and the training is not.
        """
        if self.device == "cpu":
            return dataset
        if device.type != "cuda":
            if self.device == "gpu":
                raise ValueError("device must be auto or cpu: the training is not on a CUDA GPU")
            return dataset
        images, labels = self._on(device, dataset.images), self._on(device, dataset.labels)
        if images is None or labels is None:
            return dataset
        moved = copy.copy(dataset)
        moved.images, moved.labels = images, labels
        return moved

    def _on(self, device: torch.device, values: Tensor) -> Tensor | None:
        """A copy on `device`, one for all splits. None if there is no room for it."""
        key = values.data_ptr(), device
        if key not in self._moved:
            free, _ = torch.cuda.mem_get_info(device)
            if self.device == "auto" and values.nbytes > free * SHARE_OF_GPU:
                return None
            self._moved[key] = values.to(device)
        return self._moved[key]
