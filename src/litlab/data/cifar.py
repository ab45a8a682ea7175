"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009, "Learning multiple layers of features from tiny images")."""

from litlab.data import sources
from litlab.data.datamodules import ImageDataModule
from litlab.data.sources import Arrays
from litlab.data.sources.cifar100 import CIFAR100_NAMES, load_cifar100, prepare_cifar100


class CIFAR10(ImageDataModule):
    """Photographs of ten kinds of things: 50,000 + 10,000 colour images of 32 x 32 (Krizhevsky 2009)."""

    name = "cifar10"
    class_names = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    input_shape = (3, 32, 32)
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    release = sources.CIFAR10


class CIFAR100(ImageDataModule):
    """Photographs of a hundred kinds of things: 50,000 + 10,000 colour images of 32 x 32 (Krizhevsky 2009).

    torchvision reads it from `data_dir/cifar-100-python` at each start, and checks it by MD5.
    """

    name = "cifar100"
    class_names = tuple(CIFAR100_NAMES.split())
    input_shape = (3, 32, 32)
    mean, std = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)

    def prepare_data(self) -> None:
        prepare_cifar100(self.data_dir)

    def load_arrays(self) -> Arrays:
        return load_cifar100(self.data_dir)
