"""Random images."""

import torch

from litlab.data import Fake


def test_fake_images_have_any_shape_and_depend_on_the_seed_alone():
    def first(**arguments):
        data = Fake(input_shape=(2, 5, 7), num_classes=3, train_size=20, val_size=4, test_size=6, **arguments)
        data.setup()
        assert data.sizes == {"train": 16, "val": 4, "test": 6}
        return data, data.train_set.images

    data, images = first(seed=1)
    assert (images.shape, images.dtype, data.num_classes) == ((20, 2, 5, 7), torch.uint8, 3)
    assert torch.equal(images, first(seed=1)[1])
    assert not torch.equal(images, first(seed=2)[1])
    assert data.train_set.targets.max() == 2
