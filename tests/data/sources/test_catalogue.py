"""The releases are the published ones, wherever they come from."""

import hashlib
from pathlib import Path

import pytest

from litlab.data.sources import CIFAR10, FASHION_MNIST, MNIST, load, prepare
from litlab.data.sources.idx import IDX_FILES

PUBLISHED = {
    "mnist": (
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
    "cifar10": (
        "9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
        "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
        "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    ),
    "fashion_mnist": (
        "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    ),
}


@pytest.mark.parametrize("release", [MNIST, CIFAR10, FASHION_MNIST], ids=lambda r: r.name)
def test_recorded_sums_are_the_published_ones(release):
    assert tuple(part.sha256 for part in release.parts.values()) == PUBLISHED[release.name]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_npm_gives_the_published_data(name, request):
    folder = request.getfixturevalue(f"{name}_folder")
    for part, sha256 in zip(IDX_FILES, PUBLISHED[name], strict=True):
        assert hashlib.sha256((folder / name / f"{part}.uint8").read_bytes()).hexdigest() == sha256
    arrays = load({"mnist": MNIST, "cifar10": CIFAR10}[name], folder)
    assert arrays.test_images.shape == {"mnist": (10_000, 1, 28, 28), "cifar10": (10_000, 3, 32, 32)}[name]
    assert arrays.train_labels.bincount().numel() == 10


def test_debian_gives_the_published_fashion_mnist(tmp_path):
    debian = [source for source in FASHION_MNIST.sources if "Debian" in source.name]
    if not Path("/usr/share/datasets/fashion-mnist").is_dir():
        pytest.skip("dataset-fashion-mnist is not installed")
    prepare(FASHION_MNIST, tmp_path, debian)
    assert load(FASHION_MNIST, tmp_path).train_images.shape == (60_000, 1, 28, 28)
