"""Batches in one indexing, and the order of batches over epochs and ranks."""

import os
import pickle
import signal
import time
from itertools import zip_longest

import pytest
import torch
from torch.utils.data import DataLoader

from litlab.data import EpochBatchSampler, ImageDataset, collate
from litlab.data.datasets import EpochLoader, WorkerFailed


@pytest.fixture
def dataset():
    images = torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1).expand(20, 3, 4, 4).contiguous()
    return ImageDataset(images, torch.arange(20) * 10, torch.tensor([3, 5, 7, 11, 13]))


def test_items_and_batches_agree_and_share_the_parent(dataset):
    assert len(dataset) == 5
    images, labels = dataset.__getitems__([4, 0, 0])
    assert images.shape == (3, 3, 4, 4)
    assert images.dtype == torch.uint8
    assert labels.tolist() == [130, 30, 30]
    for row, index in enumerate([4, 0, 0]):
        image, label = dataset[index]
        assert torch.equal(image, images[row])
        assert label == labels[row]
    whole = ImageDataset(dataset.images, dataset.labels)
    assert whole[7][0].data_ptr() == dataset[2][0].data_ptr()
    assert len(whole) == 20


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="not 3 and 2"):
        ImageDataset(torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.zeros(2, dtype=torch.long))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_yields_whole_batches(dataset, workers):
    sampler = EpochBatchSampler(len(dataset), 2, shuffle=False, seed=0)
    loader = DataLoader(dataset, batch_sampler=sampler, collate_fn=collate, num_workers=workers)
    batches = list(loader)
    assert [labels.tolist() for _, labels in batches] == [[30, 50], [70, 110], [130]]
    assert [images[:, 0, 0, 0].tolist() for images, _ in batches] == [[3, 5], [7, 11], [13]]
    assert pickle.loads(pickle.dumps(collate)) is collate


@pytest.fixture
def new_process(monkeypatch):
    """As before the first DataLoader of a process, which sets a handler."""
    monkeypatch.setattr("torch.utils.data._utils.signal_handling._SIGCHLD_handler_set", False)
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.usefixtures("new_process")
def test_the_death_of_a_worker_is_raised_where_a_batch_is_awaited(dataset):
    """torch raises it wherever the program is: in the middle of a save it was taken for a full disk."""
    sampler = EpochBatchSampler(len(dataset), 1, shuffle=False, seed=0)
    loader = EpochLoader(dataset, sampler, collate_fn=collate, num_workers=2)
    batches = iter(loader)
    next(batches)
    os.kill(loader._workers[0].pid, signal.SIGKILL)
    time.sleep(0.5)
    with pytest.raises(WorkerFailed):
        list(batches)


def ranks(world_size, **arguments):
    return [EpochBatchSampler(rank=rank, world_size=world_size, **arguments) for rank in range(world_size)]


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        torch.randn(3)  # the global generator must not matter
        sampler = EpochBatchSampler(100, 100, shuffle=True, seed=seed)
        sampler.set_epoch(epoch)
        return next(iter(sampler))

    assert order(1, 0) == order(1, 0)
    assert sorted(order(1, 0)) == list(range(100))
    orders = {tuple(order(seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16  # seed 1 in epoch 0 is not seed 0 in epoch 1


def test_lightning_finds_set_epoch():
    sampler = EpochBatchSampler(10, 5, shuffle=True, seed=0)
    loader = DataLoader(range(10), batch_sampler=sampler)
    loader.batch_sampler.sampler.set_epoch(3)
    assert sampler.epoch == 3


CASES = [
    (size, batch_size, world_size)
    for size in (1, 2, 3, 7, 8, 16, 17, 18, 23, 24)
    for world_size in (1, 2, 3, 4)
    for batch_size in (world_size, 2 * world_size, 12)
]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("size", "batch_size", "world_size"), CASES)
def test_training_ranks_share_the_batches_of_one_process(size, batch_size, world_size, drop_last):
    arguments = {"size": size, "batch_size": batch_size, "shuffle": True, "seed": 5, "drop_last": drop_last}
    alone = list(EpochBatchSampler(**arguments))
    dealt = [list(sampler) for sampler in ranks(world_size, **arguments)]
    assert [len(sampler) for sampler in ranks(world_size, **arguments)] == [len(alone)] * world_size
    for batch, shares in zip_longest(alone, zip(*dealt, strict=True)):
        assert len({len(share) for share in shares}) == 1
        together = [index for group in zip(*shares, strict=True) for index in group]
        assert together[: len(batch)] == batch
        assert len(together) - len(batch) < world_size
        assert set(together) <= set(range(size))
    if drop_last:
        assert all(len(batch) == batch_size for batch in alone)
    else:
        assert sorted(index for batch in alone for index in batch) == list(range(size))


@pytest.mark.parametrize(("size", "batch_size", "world_size"), CASES)
def test_evaluation_ranks_see_every_image_once_in_equally_many_batches(size, batch_size, world_size):
    samplers = ranks(world_size, size=size, batch_size=batch_size, shuffle=False, seed=0, pad=False)
    dealt = [list(sampler) for sampler in samplers]
    assert sorted(index for batches in dealt for batch in batches for index in batch) == list(range(size))
    assert [len(batches) for batches in dealt] == [len(sampler) for sampler in samplers]
    assert all(batch for batches in dealt for batch in batches)
    if size >= world_size:
        assert len({len(batches) for batches in dealt}) == 1


@pytest.mark.parametrize(("batch_size", "pad"), [(0, True), (3, True), (1, False)])
def test_batch_sizes_that_do_not_divide_are_refused(batch_size, pad):
    with pytest.raises(ValueError, match=r"^batch_size must be .* 2, the number of processes"):
        EpochBatchSampler(10, batch_size, shuffle=False, seed=0, world_size=2, pad=pad)
