"""MNIST and the sample of it."""

import pytest
import torch

from litlab.data import MNIST, MNISTSample


def sample(**arguments):
    data = MNISTSample(**arguments)
    data.prepare_data()
    data.setup()
    return data


def test_the_sample_is_real_and_split():
    data = sample()
    assert (len(data.train_set), len(data.val_set), len(data.test_set)) == (3500, 500, 1000)
    assert data.train_set.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.test_set.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert data.train_set.images is data.val_set.images
    assert sorted(torch.cat((data.train_set.indices, data.val_set.indices)).tolist()) == list(range(4000))
    assert data.record() == {
        "name": "mnist_sample",
        "input_shape": [1, 28, 28],
        "num_classes": 10,
        "class_names": list("0123456789"),
        "target_shape": [],
        "mean": [0.1307],
        "std": [0.3081],
        "background": 0,
    }


@pytest.mark.slow
def test_the_sample_is_a_part_of_mnist(mnist_folder):
    data = MNIST(data_dir=mnist_folder)
    data.prepare_data()
    data.setup()
    assert (len(data.train_set), len(data.val_set), len(data.test_set)) == (55_000, 5_000, 10_000)
    assert torch.equal(data.train_set.images[:4000], sample().train_set.images)
    assert torch.equal(data.test_set.labels[:1000], sample().test_set.labels)
