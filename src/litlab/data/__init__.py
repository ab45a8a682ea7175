"""From files to batches: data sets are found, verified, split, batched, augmented and normalised.

    data = MNIST(batch_size=128)
    data.prepare_data()
    data.setup()
    images, labels = next(iter(data.train_dataloader()))  # uint8 [128, 1, 28, 28], int64 [128]

    images, labels = data.preprocess(images, labels, training=True)  # augmented and normalised, float32

litlab's LightningModules call `preprocess` on the device. Your own module has to call it itself.
"""

from litlab.data.augment import (
    AUGMENTATIONS,
    ColorJitter,
    Cutout,
    RandomCrop,
    RandomHorizontalFlip,
    build_augmentations,
)
from litlab.data.base import DataModule
from litlab.data.batches import EpochBatchSampler
from litlab.data.block import Block
from litlab.data.cifar import CIFAR10, CIFAR100
from litlab.data.class_pictures import ClassPictures
from litlab.data.datamodules import ImageDataModule
from litlab.data.drawn_splits import DrawnSplits
from litlab.data.fake import Fake
from litlab.data.folders import ImageFolder, holds_classes
from litlab.data.huggingface import HuggingFace
from litlab.data.in_memory import ImageDataset, collate
from litlab.data.label_file import LabelFile
from litlab.data.landmarks import Landmarks, draw_points
from litlab.data.mix import Mix
from litlab.data.mnist import MNIST, FashionMNIST, MNISTSample
from litlab.data.normalize import Normalize
from litlab.data.picture_dataset import file_of
from litlab.data.picture_files import Unreadable, as_opened, open_picture
from litlab.data.pictures import PictureDataModule
from litlab.data.points import LinePoints, Points, SigmoidPoints
from litlab.data.policies import AutoAugment, RandAugment, TrivialAugment
from litlab.data.random_boxes import GaussianBlur, RandomErasing, RandomResizedCrop, RandomRotation
from litlab.data.resize import fit
from litlab.data.sources import SourcesFailedError
from litlab.data.torchvision_pictures import Flowers102, Food101, Imagenette, OxfordPets
from litlab.data.torchvision_sets import EMNIST, KMNIST, STL10, SVHN

__all__ = [  # noqa: RUF022 (in the order in which one meets them)
    "MNIST",
    "FashionMNIST",
    "CIFAR10",
    "CIFAR100",
    "KMNIST",
    "EMNIST",
    "SVHN",
    "STL10",
    "Flowers102",
    "OxfordPets",
    "Food101",
    "Imagenette",
    "MNISTSample",
    "Fake",
    "ImageFolder",
    "LabelFile",
    "HuggingFace",
    "Landmarks",
    "LinePoints",
    "SigmoidPoints",
    "DataModule",
    "DrawnSplits",
    "PictureDataModule",
    "ClassPictures",
    "Points",
    "draw_points",
    "ImageDataModule",
    "ImageDataset",
    "Block",
    "EpochBatchSampler",
    "collate",
    "Normalize",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Cutout",
    "ColorJitter",
    "RandAugment",
    "TrivialAugment",
    "AutoAugment",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomErasing",
    "GaussianBlur",
    "Mix",
    "AUGMENTATIONS",
    "build_augmentations",
    "SourcesFailedError",
    "file_of",
    "holds_classes",
    "as_opened",
    "open_picture",
    "fit",
    "Unreadable",
]
