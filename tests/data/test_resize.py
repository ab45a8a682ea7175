"""Pictures of any size as images of one size."""

import numpy as np
import pytest
import torch
from PIL import Image

from litlab.data import CIFAR10, MNISTSample, fit, open_picture

GREY = np.linspace(0, 255, 24 * 32).reshape(24, 32).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], 2)


def test_a_picture_of_the_right_size_is_what_training_saw(tmp_path):
    data = MNISTSample()
    data.setup()
    images, _ = data.test_set.__getitems__([0, 1, 2])
    for image in images:
        Image.fromarray(image[0].numpy()).save(tmp_path / "a.png")
        assert torch.equal(fit(open_picture(tmp_path / "a.png"), data.input_shape), image)


@pytest.mark.parametrize(("resize", "side"), [(16, 16), (0, 16), (32, 8)])
def test_a_picture_of_the_right_size_is_cut_only_where_resize_says_so(resize, side):
    pixels = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    middle = slice(8 - side // 2, 8 + side // 2)
    expected = fit(Image.fromarray(pixels[middle, middle]), (3, 16, 16), {"resizer": "torch"})
    assert torch.equal(fit(pixels, (3, 16, 16), {"resize": resize, "resizer": "torch"}), expected)


def test_channels_and_sizes_are_matched():
    grey, colour = Image.fromarray(GREY), Image.fromarray(COLOUR)
    assert torch.equal(fit(grey, (3, 24, 32))[1], torch.from_numpy(GREY))
    assert torch.equal(fit(colour, (1, 24, 32))[0], torch.from_numpy(np.array(colour.convert("L"))))
    assert fit(colour, CIFAR10.input_shape).shape == (3, 32, 32)
    with pytest.raises(ValueError, match="1 or 3 channels; the network was trained on 4"):
        fit(colour, (4, 8, 8))


def test_the_shorter_side_fits_and_the_rest_is_cropped_in_the_centre():
    wide = np.zeros((40, 120), np.uint8)
    wide[:, 35:85] = 200  # the square crop of the centre, and the pixels that are mixed into its edges
    assert fit(Image.fromarray(wide), (1, 10, 10)).unique().tolist() == [200]
    tall = fit(Image.fromarray(wide.T.copy()), (1, 10, 10), {"resize": 20})
    assert tall.unique().tolist() == [200]
    framed = np.full((100, 100), 7, np.uint8)
    framed[8:92, 8:92] = 99  # resize to 10, then 6 in the centre
    assert fit(Image.fromarray(framed), (1, 6, 6), {"resize": 10}).unique().tolist() == [99]
    assert fit(Image.new("L", (1, 100_000)), (1, 28, 28), {"resize": 32}).shape == (1, 28, 28)
