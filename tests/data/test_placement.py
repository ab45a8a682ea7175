"""Images are copied to a GPU once, if they fit. A stand-in says here how much is free."""

from types import SimpleNamespace

import pytest
import torch

from litlab.data import placement
from litlab.data.in_memory import CachedPictures, ImageDataset
from litlab.data.placement import Placement


class Device:
    """A device that says that it is a GPU."""

    type = "cuda"


@pytest.fixture
def copies(monkeypatch):
    """The copies that are made to a GPU with 1,000 free bytes."""
    made = []

    def to(values, device):
        made.append(values)
        return values.clone()

    monkeypatch.setattr(torch.Tensor, "to", to)
    monkeypatch.setattr(
        placement, "torch", SimpleNamespace(cuda=SimpleNamespace(mem_get_info=lambda device: (1000, 0)))
    )
    return made


def images(count):
    return torch.arange(count, dtype=torch.uint8).view(count, 1, 1, 1)


def test_all_splits_share_one_copy(copies):
    whole, labels, place = images(20), torch.arange(20), Placement("auto")
    device = Device()
    train, val = (ImageDataset(whole, labels, torch.tensor(rows)) for rows in ([1, 2], [3]))
    placed = [place.of(dataset, device) for dataset in (train, val, train)]
    assert len(copies) == 2  # the images and the labels
    assert placed[0].images is placed[1].images is placed[2].images
    assert train.images is whole
    assert placed[1].targets.tolist() == [3]


def test_cached_pictures_stay_cached_pictures(copies):
    pictures = CachedPictures(images(9), torch.tensor([5, 6]), ["a.png", "b.png"], torch.tensor([7, 2]))
    placed = Placement("gpu").of(pictures, Device())
    assert type(placed) is CachedPictures
    assert placed.paths == ["a.png", "b.png"]
    assert placed.images is not pictures.images
    found, targets = placed.images.index_select(0, placed.indices), placed.targets
    assert (found.flatten().tolist(), targets.tolist()) == ([7, 2], [5, 6])


def test_what_does_not_fit_a_quarter_of_the_free_memory_stays(copies):
    large = ImageDataset(images(251), torch.arange(251))
    assert Placement("auto").of(large, Device()) is large
    assert Placement("gpu").of(large, Device()) is not large
    assert Placement("cpu").of(large, Device()) is large
