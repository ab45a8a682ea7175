"""The order of batches over epochs and ranks."""

from itertools import zip_longest

import pytest
import torch
from torch.utils.data import DataLoader

from litlab.data import EpochBatchSampler


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


def test_balanced_batches_are_dealt_to_ranks_as_to_one_process():
    weights = torch.tensor([1.0] * 18 + [9.0] * 2)
    arguments = {"size": 20, "batch_size": 4, "shuffle": True, "seed": 3, "weights": weights}
    alone = list(EpochBatchSampler(**arguments))
    first, second = (list(EpochBatchSampler(**arguments, rank=rank, world_size=2)) for rank in (0, 1))
    assert [sorted([*a, *b]) for a, b in zip(first, second, strict=True)] == [sorted(batch) for batch in alone]
    drawn = []
    for epoch in range(100):
        sampler = EpochBatchSampler(**arguments)
        sampler.set_epoch(epoch)
        drawn += [index for batch in sampler for index in batch]
    assert sum(index >= 18 for index in drawn) / len(drawn) == pytest.approx(0.5, abs=0.05)
