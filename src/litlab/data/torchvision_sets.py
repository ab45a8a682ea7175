"""Data sets of small images that torchvision fetches and reads: one class each, with its facts."""

from __future__ import annotations

from typing import ClassVar

from litlab.data.datamodules import ImageDataModule
from litlab.data.sources import Arrays, by_torchvision
from litlab.data.sources.by_torchvision import ByTorchvision, load_by_torchvision, prepare_by_torchvision


class TorchvisionImages(ImageDataModule):
    """A data set of torchvision's, in memory. torchvision checks its files by MD5.

    A subclass sets the facts of `ImageDataModule`, and `source`.
    """

    source: ClassVar[ByTorchvision]

    def prepare_data(self) -> None:
        prepare_by_torchvision(self.source, self.data_dir)

    def load_arrays(self) -> Arrays:
        return load_by_torchvision(self.source, self.data_dir)


class KMNIST(TorchvisionImages):
    """Ten characters of cursive Japanese: 60,000 + 10,000 grey images of 28 x 28 (Clanuwat 2018, arXiv:1812.01718)."""

    name = "kmnist"
    class_names = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    input_shape = (1, 28, 28)
    mean, std = (0.1918,), (0.3483,)
    background = 0
    source = by_torchvision.KMNIST


class EMNIST(TorchvisionImages):
    """Handwritten digits and letters, `balanced`: 112,800 + 18,800 grey images of 28 x 28, 47 classes.

    Small letters that look like their capitals are one class with them (Cohen et al. 2017, arXiv:1702.05373).
    """

    name = "emnist"
    class_names = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")
    input_shape = (1, 28, 28)
    mean, std = (0.1751,), (0.3332,)
    background = 0
    source = by_torchvision.EMNIST


class SVHN(TorchvisionImages):
    """Digits of house numbers: 73,257 + 26,032 colour images of 32 x 32 (Netzer et al. 2011). Needs scipy."""

    name = "svhn"
    class_names = tuple("0123456789")
    input_shape = (3, 32, 32)
    mean, std = (0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)
    source = by_torchvision.SVHN


class STL10(TorchvisionImages):
    """Photographs of ten kinds of things: 5,000 + 8,000 colour images of 96 x 96 (Coates et al. 2011)."""

    name = "stl10"
    class_names = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
    input_shape = (3, 96, 96)
    mean, std = (0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713)
    source = by_torchvision.STL10
    default_val_size = 500
