"""Batches as the network sees them."""

import numpy as np
from events import picture


def test_the_batches_are_the_data(seen):
    """The first validation picture, un-normalised, enlarged twice, is the first validation picture."""
    from litlab.data import MNISTSample

    data = MNISTSample(seed=1)
    data.setup()
    first = data.val_set[0][0][0].numpy()
    shown = np.array(picture(seen.Images("view/pictures/val")[0]))
    assert np.array_equal(shown[:56:2, :56:2, 0], first)
    assert shown.shape == (8 * 58, 8 * 58, 3)
    assert np.array_equal(shown[:, :, 0], shown[:, :, 2])
