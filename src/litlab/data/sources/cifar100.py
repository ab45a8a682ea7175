"""CIFAR-100, read by torchvision. It has one form only, the official archive, and is checked by MD5."""

from pathlib import Path
from urllib.parse import urlparse

import torch
import torchvision
from filelock import FileLock
from torch import Tensor

from litlab.data.sources.cache import shortened
from litlab.data.sources.releases import Arrays
from litlab.socket_timeout import socket_timeout

CIFAR100_NAMES = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can "
    "castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin "
    "elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster "
    "man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck "
    "pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk "
    "skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger "
    "tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)


def prepare_cifar100(data_dir: str | Path) -> None:
    """Make sure that `data_dir` holds CIFAR-100's archive, unpacked.

    Raises:
        FileNotFoundError: it could not be fetched; the message says what to do.
    """
    data_dir = Path(data_dir).expanduser()
    cifar = torchvision.datasets.CIFAR100
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / ".cifar100.lock"), socket_timeout():
            cifar(data_dir, download=True)
    except Exception as error:
        raise FileNotFoundError(
            f"data_dir {data_dir} holds no CIFAR-100, and {urlparse(cifar.url).hostname} did not help "
            f"({shortened(error)}): put {cifar.filename} into it"
        ) from error


def load_cifar100(data_dir: str | Path) -> Arrays:
    """CIFAR-100 with its hundred fine labels, from the files that `prepare_cifar100` left."""
    parts: list[Tensor] = []
    for train in (True, False):
        split = torchvision.datasets.CIFAR100(Path(data_dir).expanduser(), train=train)
        parts += [torch.from_numpy(split.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(split.targets)]
    return Arrays(*parts)
