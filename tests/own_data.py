"""Data sets of a user's own, derived from `DataModule` alone: without a mistake, and with one."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Subset, TensorDataset

from litlab.data import DataModule

COUNT = 60


class Bright(DataModule):
    """Noisy images from 0 to 1 and their brightness, in data sets of torch's kind."""

    name, task, input_shape, target_shape = "bright", "regression", (1, 6, 6), (1,)

    def images(self) -> Tensor:
        """[60, 1, 6, 6]."""
        noise = torch.rand(COUNT, *self.input_shape, generator=torch.Generator().manual_seed(1))
        return 0.3 * noise + 0.7 * self.brightness()[..., None, None]

    def brightness(self) -> Tensor:
        """[60, 1]."""
        return torch.linspace(0, 1, COUNT)[torch.randperm(COUNT, generator=torch.Generator().manual_seed(2))][:, None]

    def setup(self, stage: str | None = None) -> None:
        found = TensorDataset(self.images(), self.brightness())
        self.train_set, self.val_set = Subset(found, range(40)), Subset(found, range(40, COUNT))


class Bytes(Bright):
    """The same as uint8, normalised by litlab."""

    mean, std = (0.5,), (0.25,)

    def images(self) -> Tensor:
        return (super().images() * 255).to(torch.uint8)


class Listed(Bright):
    """Items of NumPy's numbers, as the 64 bits that those have."""

    def setup(self, stage: str | None = None) -> None:
        self.train_set = self.val_set = [(np.full((1, 6, 6), n / COUNT), np.array([n / COUNT])) for n in range(COUNT)]


class TwoClasses(Bright):
    name, task, class_names = "two", "classification", ("dark", "bright")

    def setup(self, stage: str | None = None) -> None:
        self.train_set = self.val_set = [(image, n % 2) for n, image in enumerate(self.images())]


class NotNormalised(Bright):
    mean, std = (0.5,), (0.25,)


class Normalised(Bright):
    """Without a mean and a standard deviation."""

    def images(self) -> Tensor:
        return (super().images() - 0.5) / 0.25


class TwoMeans(Bytes):
    mean, std = (0.5, 0.5), (0.2, 0.2)


class OwnItems(Bright):
    """What a subclass returns for each index."""

    def item(self, index: int) -> Any:
        raise NotImplementedError

    def setup(self, stage: str | None = None) -> None:
        self.train_set = self.val_set = [self.item(n) for n in range(COUNT)]


class Triples(OwnItems):
    def item(self, index: int) -> Any:
        return torch.zeros(1, 6, 6), torch.zeros(1), index


class OtherSizes(OwnItems):
    def item(self, index: int) -> Any:
        return torch.zeros(1, 6, 6 + index % 2), torch.zeros(1)


class OtherShape(OwnItems):
    def item(self, index: int) -> Any:
        return torch.zeros(3, 6, 6), torch.zeros(1)


class WholeNumbers(OwnItems):
    def item(self, index: int) -> Any:
        return torch.zeros(1, 6, 6, dtype=torch.int64), torch.zeros(1)


class FlatTargets(OwnItems):
    def item(self, index: int) -> Any:
        return torch.zeros(1, 6, 6), 0.5


class WholeTargets(OwnItems):
    def item(self, index: int) -> Any:
        return torch.zeros(1, 6, 6), torch.zeros(1, dtype=torch.int64)


class NoTargetShape(OwnItems):
    target_shape = ()

    def item(self, index: int) -> Any:
        return torch.zeros(1, 6, 6), 0.5


class Crashing(Bright):
    def setup(self, stage: str | None = None) -> None:
        self.train_set = self.val_set = self

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> Any:
        return {}["nothing"]


class ThreeLabels(TwoClasses):
    def setup(self, stage: str | None = None) -> None:
        self.train_set = self.val_set = [(image, n % 3) for n, image in enumerate(self.images())]


class NothingSet(Bright):
    def setup(self, stage: str | None = None) -> None:
        """Sets nothing."""


class NoValidation(Bright):
    def setup(self, stage: str | None = None) -> None:
        super().setup(stage)
        self.val_set = None


class NotSaid(Bright):
    val_size = 0
