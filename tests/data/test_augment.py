"""Each transform against a slow reference that works on one image at a time."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms.v2 import functional as reference

from litlab.data import ColorJitter, Cutout, RandomCrop, RandomHorizontalFlip, build_augmentations
from litlab.data.augment import AlternatingFlip


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def noise(batch=200, channels=3, height=12, width=9, low=0, high=256):
    return torch.randint(low, high, (batch, channels, height, width), dtype=torch.uint8)


@pytest.mark.parametrize("mode", ["zeros", "reflect"])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_crop_is_a_window_of_the_padded_image(mode, channels):
    images = noise(channels=channels)
    crops = RandomCrop(padding=2, padding_mode=mode)(images)
    padded = F.pad(images.float(), (2, 2, 2, 2), mode="constant" if mode == "zeros" else "reflect").to(torch.uint8)
    places = []
    for crop, image in zip(crops, padded, strict=True):
        found = [(y, x) for y in range(5) for x in range(5) if torch.equal(crop, image[:, y : y + 12, x : x + 9])]
        assert len(found) == 1
        places += found
    assert set(places) == {(y, x) for y in range(5) for x in range(5)}  # 200 draws of 25 places
    assert crops.dtype == torch.uint8


def test_crop_without_padding_changes_nothing():
    images = noise()
    assert torch.equal(RandomCrop(padding=0)(images), images)


def test_each_flip_is_the_image_or_its_mirror():
    images = noise()
    flipped = RandomHorizontalFlip()(images)
    mirrored = [torch.equal(found, image.flip(-1)) for found, image in zip(flipped, images, strict=True)]
    unchanged = [torch.equal(found, image) for found, image in zip(flipped, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, unchanged, strict=True))
    assert 70 < sum(mirrored) < 130
    assert torch.equal(RandomHorizontalFlip(p=0)(images), images)
    assert torch.equal(RandomHorizontalFlip(p=1)(images), images.flip(-1))


def test_alternating_flip_shows_each_image_both_ways_in_turn():
    images = torch.randint(256, (200, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    flip = AlternatingFlip()
    first = flip(images)
    mirrored = (first == images.flip(-1)).flatten(1).all(1)
    assert 60 < mirrored.sum() < 140
    assert torch.equal(first[~mirrored], images[~mirrored])
    flip.set_epoch(1)
    assert torch.equal(flip(images), first.flip(-1))
    flip.set_epoch(2)
    assert torch.equal(flip(images[50:]), first[50:]), "whatever batch an image comes in"


@pytest.mark.parametrize(("size", "fill"), [(4, 0), (3, 255)])
def test_each_cutout_is_one_square_clipped_at_the_edges(size, fill):
    images = noise(batch=500, low=1, high=255)
    shapes, corners, ends = set(), set(), set()
    for found, image in zip(Cutout(size=size, fill=fill)(images), images, strict=True):
        changed = (found != image).any(0)
        rows, columns = changed.any(1).nonzero().flatten(), changed.any(0).nonzero().flatten()
        assert changed.sum() == len(rows) * len(columns)  # a rectangle, the same in all channels
        assert (found[:, changed] == fill).all()
        shapes.add((len(rows), len(columns)))
        corners.add((int(rows[0]), int(columns[0])))
        ends.add((int(rows[-1]), int(columns[-1])))
    assert max(shapes) == (size, size)
    # Centred anywhere: some lie over the top left edge, some over the bottom right one.
    assert {(0, 0)} < corners
    assert {(11, 8)} < ends
    assert min(row for row, _ in ends) < size - 1
    assert max(row for row, _ in corners) > 12 - size


def fit(found, base, direction):
    """The factor f of found = base + f * direction, by least squares."""
    return float(((found - base) * direction).sum() / (direction**2).sum())


def luma(image):
    return (image * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(0, keepdim=True)


@pytest.mark.parametrize("kind", ["brightness", "contrast", "saturation"])
def test_jitter_means_what_it_means_in_torchvision(kind):
    images = noise(batch=40, low=70, high=170)  # far enough from 0 and 255 to recover the factors
    found = ColorJitter(**{kind: 0.3})(images)
    adjust = getattr(reference, f"adjust_{kind}")
    factors = []
    for image, result in zip(images, found, strict=True):
        x = image.float()
        base = {"brightness": 0 * x, "contrast": luma(x).mean() + 0 * x, "saturation": luma(x) + 0 * x}[kind]
        factors.append(fit(result.float(), base, x - base))
        difference = adjust(image, factors[-1]).int() - result.int()
        assert difference.abs().max() <= 2  # torchvision truncates where we round
    assert 0.69 < min(factors) < 0.8
    assert 1.2 < max(factors) < 1.31
    assert len({round(factor, 4) for factor in factors}) > 30


def test_hue_turns_colours_and_keeps_luma_and_chroma():
    images = noise(batch=50, low=100, high=150)
    found = ColorJitter(hue=0.5)(images)
    yiq = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
    before = torch.einsum("dc,bchw->bdhw", yiq, images.float())
    after = torch.einsum("dc,bchw->bdhw", yiq, found.float())
    torch.testing.assert_close(after[:, 0], before[:, 0], atol=0.6, rtol=0)
    torch.testing.assert_close(after[:, 1:].norm(dim=1), before[:, 1:].norm(dim=1), atol=1.5, rtol=0)
    turned = torch.complex(after[:, 1], after[:, 2]) * torch.complex(before[:, 1], before[:, 2]).conj()
    angles = turned.sum((1, 2)).angle()  # one angle for each image, the same for all its pixels
    coherence = turned.sum((1, 2)).abs() / turned.abs().sum((1, 2))
    assert coherence.min() > 0.99
    assert angles.min() < -2
    assert angles.max() > 2
    torch.testing.assert_close(
        ColorJitter(hue=0.5)(images[:, :1].expand(-1, 3, -1, -1)), images[:, :1].expand(-1, 3, -1, -1)
    )


def test_jitter_in_order_equals_one_after_the_other():
    images = noise(batch=20, low=90, high=150)
    together = ColorJitter(0.2, 0.2, 0.2)(images)
    for image, found in zip(images.float(), together.float(), strict=True):
        # brightness scales luma's mean; contrast keeps it: their factors follow from the mean and the deviations
        b = luma(found).mean() / luma(image).mean()
        c = fit(luma(found), luma(found).mean(), luma(image) - luma(image).mean()) / b
        contrasted = luma(image).mean() * b * (1 - c) + b * c * image
        s = fit(found, luma(contrasted), contrasted - luma(contrasted))
        expected = luma(contrasted) + s * (contrasted - luma(contrasted))
        torch.testing.assert_close(found, expected, atol=0.75, rtol=0)
        assert all(0.79 < factor < 1.21 for factor in (b, c, s))


def test_jitter_without_amounts_changes_nothing_and_grey_has_no_hue():
    images = noise()
    assert torch.equal(ColorJitter()(images), images)
    grey = images[:, :1]
    assert ColorJitter(brightness=0.5, contrast=0.5)(grey).shape == grey.shape
    with pytest.raises(ValueError, match="needs 3 channels"):
        ColorJitter(hue=0.1)(grey)


@pytest.mark.parametrize("transform", [RandomCrop(), RandomHorizontalFlip(), Cutout(), ColorJitter(0.5, 0.5, 0.5, 0.5)])
def test_the_seed_decides_and_the_input_stays(transform):
    images = noise(height=16, width=16)
    before = images.clone()
    torch.manual_seed(1)
    first = transform(images)
    torch.manual_seed(1)
    assert torch.equal(transform(images), first)
    assert not torch.equal(transform(images), first)
    assert torch.equal(images, before)
    assert transform(images.to(memory_format=torch.channels_last)).shape == images.shape


def test_build_takes_names_mappings_and_callables():
    own = torch.clone
    built = build_augmentations(["cutout", {"name": "random_crop", "padding": 2}, own])
    assert built == [Cutout(), RandomCrop(padding=2), own]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (["flip"], "^augment has no 'flip'; choose from random_crop, random_horizontal_flip, alternating_flip, cutout"),
        ([{"padding": 4}], "^augment has no None"),
        ([{"name": "random_crop", "pad": 4}], "^augment random_crop has no argument 'pad'; choose from padding"),
        ([{"name": "random_crop", "padding": -1}], "^augment random_crop: padding must be at least 0"),
        ([{"name": "random_crop", "padding_mode": "wrap"}], "^augment random_crop: padding_mode must be zeros or"),
        ([{"name": "random_horizontal_flip", "p": 2}], "^augment random_horizontal_flip: p must be from 0 to 1"),
        ([{"name": "cutout", "size": 0}], "^augment cutout: size must be at least 1"),
        ([{"name": "cutout", "fill": 256}], "^augment cutout: fill must be from 0 to 255"),
        ([{"name": "color_jitter", "hue": 0.6}], "^augment color_jitter: hue must be from 0 to 0.5"),
        ("cutout", "^augment must be a list"),
        ([3], "^augment "),
    ],
)
def test_build_refuses(spec, message):
    with pytest.raises(ValueError, match=message):
        build_augmentations(spec)
