"""A tiny data set with random images, published as a release of litlab is."""

import hashlib
import socket
from collections.abc import Sequence

import torch
from torch import Tensor

from litlab.data.sources import Arrays, Part, Release, Source


def make_arrays(channels: int, size: int) -> Arrays:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int, below: int) -> Tensor:
        return torch.randint(below, shape, dtype=torch.uint8, generator=generator)

    image = (channels, size, size)
    return Arrays(draw(30, *image, below=256), draw(30, below=10), draw(12, *image, below=256), draw(12, below=10))


def make_release(arrays: Arrays, sources: Sequence[Source]) -> Release:
    parts = {
        name: Part(tuple(values.shape), hashlib.sha256(values.numpy().tobytes()).hexdigest())
        for name, values in arrays._asdict().items()
    }
    return Release("tiny", parts, tuple(sources), "put them into {data_dir}/by_hand")


def assert_same(found: Arrays, expected: Arrays) -> None:
    for name, values in expected._asdict().items():
        assert torch.equal(getattr(found, name), values), name


def closed_port() -> int:
    """A port of this machine where no program listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
