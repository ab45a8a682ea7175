"""From files to batches: data sets, found, verified, split, augmented and normalised.

    data = MNIST(batch_size=128)
    data.prepare_data()
    data.setup()
    images, labels = next(iter(data.train_dataloader()))  # uint8 [128, 1, 28, 28], int64 [128]

    images, labels = data.preprocess(images, labels, training=True)  # augmented and normalised, float32

litlab's LightningModules call `preprocess` on the device. A module of one's own does so itself.
"""

from litlab.data.augment import (
    AUGMENTATIONS,
    ColorJitter,
    Cutout,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    build_augmentations,
)
from litlab.data.base import DataModule
from litlab.data.datamodules import CIFAR10, CIFAR100, MNIST, Fake, FashionMNIST, ImageDataModule, MNISTSample
from litlab.data.datasets import Block, EpochBatchSampler, ImageDataset, collate
from litlab.data.folders import ImageFolder
from litlab.data.landmarks import Landmarks, draw_points
from litlab.data.picture_files import Unreadable, fit, open_picture
from litlab.data.pictures import PictureDataModule
from litlab.data.points import LinePoints, Points, SigmoidPoints
from litlab.data.sources import SourcesFailedError

__all__ = [  # noqa: RUF022 (in the order in which one meets them)
    "MNIST",
    "FashionMNIST",
    "CIFAR10",
    "CIFAR100",
    "MNISTSample",
    "Fake",
    "ImageFolder",
    "Landmarks",
    "LinePoints",
    "SigmoidPoints",
    "DataModule",
    "PictureDataModule",
    "Points",
    "draw_points",
    "ImageDataModule",
    "ImageDataset",
    "EpochBatchSampler",
    "Block",
    "collate",
    "Normalize",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Cutout",
    "ColorJitter",
    "AUGMENTATIONS",
    "build_augmentations",
    "SourcesFailedError",
    "open_picture",
    "fit",
    "Unreadable",
]
