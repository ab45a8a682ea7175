"""Batches in one indexing."""

import pickle

import pytest
import torch
from torch.utils.data import DataLoader

from litlab.data import EpochBatchSampler, ImageDataset, collate


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
