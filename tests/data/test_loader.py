"""A loader goes on in the middle of a pass, over the same batches or not at all."""

import pytest
import torch

from litlab.data import EpochBatchSampler, collate
from litlab.data.loader import EpochLoader, OtherBatches


def make_loader(dataset, workers=0, **changed):
    sampler = EpochBatchSampler(**{"size": len(dataset), "batch_size": 2, "shuffle": True, "seed": 3} | changed)
    return EpochLoader(dataset, sampler, collate_fn=collate, num_workers=workers, persistent_workers=workers > 0)


def labels_of(batches):
    return [labels.tolist() for _, labels in batches]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_pass_goes_on_where_it_was_saved(dataset, workers):
    undisturbed = make_loader(dataset)
    first, second = labels_of(undisturbed), labels_of(undisturbed)
    saved = make_loader(dataset, workers)
    batches = iter(saved)
    next(batches)
    state = saved.state_dict()
    assert state["given"] == 1
    resumed = make_loader(dataset, workers)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state  # a checkpoint may be saved before the next batch
    assert labels_of(resumed) == first[1:]
    assert labels_of(resumed) == second  # the next pass is a whole one
    saved.load_state_dict(resumed.state_dict() | {"given": len(saved)})  # saved at the end of a pass
    assert labels_of(saved) == first


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_leaves_the_global_generator_alone(dataset, workers):
    before = torch.get_rng_state()
    list(make_loader(dataset, workers))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch_size": 4}, "batch_size=4: it was 2, and can change at the end of an epoch only"),
        ({"size": 4}, "train_limit=4: it was 5"),
        ({"seed": 4}, "seed=4: it was 3"),
        ({"drop_last": True}, "drop_last=True: it was False"),
        ({"weights": torch.ones(5)}, "balanced=True: it was False"),
    ],
)
def test_other_batches_are_refused_by_name(dataset, changed, message):
    state = make_loader(dataset).state_dict()
    with pytest.raises(OtherBatches, match=f"^{message}"):
        make_loader(dataset, **changed).load_state_dict(state)
