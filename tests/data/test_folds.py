import pytest
import torch

from litlab.data import MNISTSample
from litlab.data.folds import held_out


def test_each_image_is_held_out_once_and_each_fold_has_its_share_of_every_class():
    labels = torch.tensor([0] * 50 + [1] * 25 + [2] * 10)
    order = torch.randperm(85, generator=torch.Generator().manual_seed(0))
    folds = [held_out(order, labels, 5, fold) for fold in range(5)]
    assert torch.equal(torch.cat(folds).sort().values, torch.arange(85))
    for fold in folds:
        assert torch.bincount(labels[fold]).tolist() == [10, 5, 2]


def test_a_fold_takes_the_place_of_the_validation_split():
    modules = [MNISTSample(folds=4, fold=fold) for fold in (0, 1)]
    for data in modules:
        data.setup()
        assert data.sizes == {"train": 3000, "val": 1000, "test": 1000}
    first, second = (set(data.val_set.indices.tolist()) for data in modules)
    assert not first & second
    assert not first & set(modules[0].train_set.indices.tolist())
    assert modules[0].validates


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"fold": 1}, "fold must be below folds, None, not 1"),
        ({"folds": 3, "fold": 3}, "fold must be below folds, 3, not 3"),
        ({"folds": 1}, "folds must be"),
    ],
)
def test_wrong_folds_are_refused(settings, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        MNISTSample(**settings)
