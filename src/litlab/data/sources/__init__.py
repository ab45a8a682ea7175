"""Where a data set comes from: several sources are tried in turn, and one verified cache keeps the result.

    prepare(MNIST, "data")        # once, by one process: find, decode, verify, cache
    arrays = load(MNIST, "data")  # after that: map the cache into memory and verify it again

`releases` says what a release is, `catalogue` lists them, and `cache` has the two functions above. `idx` and `cifar10`
read the published formats, and `fetch` downloads. `by_torchvision` leaves some data sets to torchvision.
"""

from litlab.data.sources.cache import load, prepare
from litlab.data.sources.catalogue import CIFAR10, FASHION_MNIST, MNIST, MNIST_SAMPLE
from litlab.data.sources.releases import Arrays, Part, Parts, Release, Source, SourcesFailedError, verify

__all__ = [
    "CIFAR10",
    "FASHION_MNIST",
    "MNIST",
    "MNIST_SAMPLE",
    "Arrays",
    "Part",
    "Parts",
    "Release",
    "Source",
    "SourcesFailedError",
    "load",
    "prepare",
    "verify",
]
