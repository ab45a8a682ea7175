"""Automatic augmentations against torchvision, image by image."""

import math

import pytest
import torch
from torchvision.transforms.v2 import AutoAugment as Published
from torchvision.transforms.v2 import functional as reference

from litlab.data import build_augmentations
from litlab.data.learned_policies import LEARNED
from litlab.data.policies import NUMBER, OPERATIONS, AutoAugment, apply


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def pictures(channels=3, height=20, width=17, count=12):
    """Smooth images with some noise, and one that is all of one value."""
    coarse = torch.rand(count, channels, 4, 4)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    images = (smooth * 200 + 40 * torch.rand(count, channels, height, width)).to(torch.uint8)
    images[-1] = 77
    return images


def turned(image, **changes):
    return reference.affine(image, **({"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]} | changes))


REFERENCE = {  # as torchvision's automatic augmentations call them
    "Identity": lambda x, m: x,
    "ShearX": lambda x, m: turned(x, shear=[math.degrees(math.atan(m)), 0.0], center=[0, 0]),
    "ShearY": lambda x, m: turned(x, shear=[0.0, math.degrees(math.atan(m))], center=[0, 0]),
    "TranslateX": lambda x, m: turned(x, translate=[int(m), 0]),
    "TranslateY": lambda x, m: turned(x, translate=[0, int(m)]),
    "Rotate": lambda x, m: reference.rotate(x, angle=m),
    "Brightness": lambda x, m: reference.adjust_brightness(x, 1 + m),
    "Color": lambda x, m: reference.adjust_saturation(x, 1 + m),
    "Contrast": lambda x, m: reference.adjust_contrast(x, 1 + m),
    "Sharpness": lambda x, m: reference.adjust_sharpness(x, 1 + m),
    "Posterize": lambda x, m: reference.posterize(x, int(m)),
    "Solarize": lambda x, m: reference.solarize(x, 255 * m),
    "AutoContrast": lambda x, m: reference.autocontrast(x),
    "Equalize": lambda x, m: reference.equalize(x),
    "Invert": lambda x, m: reference.invert(x),
}
STRENGTHS = {
    **dict.fromkeys(("ShearX", "ShearY"), (-0.99, -0.3, 0.09, 0.3)),
    **dict.fromkeys(("TranslateX", "TranslateY"), (-7.7, 0.4, 3.2)),
    "Rotate": (-135.0, -9.0, 30.0, 117.0),
    **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), (-0.9, -0.27, 0.0, 0.54, 0.99)),
    "Posterize": (2.0, 4.0, 7.0, 8.0),
    "Solarize": (0.0, 0.3, 1.0),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_is_torchvisions(name, channels):
    images = pictures(channels)
    for strength in STRENGTHS.get(name, (0.0,)):
        chosen = torch.full((len(images),), NUMBER[name])
        found = apply(images, chosen, torch.full((len(images),), strength, dtype=torch.float64))
        wanted = torch.stack([REFERENCE[name](image, strength) for image in images])
        differs = (found.int() - wanted.int()).abs()
        if name in ("Color", "Contrast", "Sharpness"):  # sums in another order, cut to whole numbers
            assert differs.max() <= 1
            assert differs[:-1].float().mean() < 0.03  # not the last: all its sums are at the same edge
        else:
            assert torch.equal(found, wanted), strength


def test_each_image_gets_its_own_operation():
    images = pictures(count=len(OPERATIONS))
    numbers = torch.arange(len(OPERATIONS))
    strength = torch.tensor([STRENGTHS.get(name, (0.0,))[-1] for name in OPERATIONS], dtype=torch.float64)
    together = apply(images, numbers, strength)
    alone = [apply(images[i : i + 1], numbers[i : i + 1], strength[i : i + 1]) for i in range(len(numbers))]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("name", ["rand_augment", "trivial_augment", "auto_augment"])
@pytest.mark.parametrize("channels", [1, 3])
def test_policies_change_most_images_in_different_ways(name, channels):
    images = pictures(channels, count=2)[:1].expand(200, -1, -1, -1) + torch.arange(20, dtype=torch.uint8)[:, None]
    [augment] = build_augmentations([name])
    found = augment(images)
    assert (found.shape, found.dtype) == (images.shape, torch.uint8)
    assert len({tuple(image.flatten().tolist()) for image in found}) > 20
    again = augment(images)
    assert not torch.equal(found, again)


def test_the_learned_pairs_are_torchvisions():
    for policy, text in LEARNED.items():
        lines = [[part.split() for part in line.split("|")] for line in text.strip().splitlines()]
        published = Published(next(p for p in type(Published().policy) if p.value == policy))._policies
        assert [[(n, float(p), int(s)) for n, p, s in pair] for pair in lines] == [
            [(n, p, s or 0) for n, p, s in pair] for pair in published
        ]


def test_a_wrong_policy_is_refused():
    with pytest.raises(ValueError, match="^augment auto_augment: policy must be imagenet, cifar10 or svhn"):
        build_augmentations([{"name": "auto_augment", "policy": "mnist"}])
    with pytest.raises(ValueError, match="^augment rand_augment: magnitude must be from 0 to 30, not 31"):
        build_augmentations([{"name": "rand_augment", "magnitude": 31}])
    with pytest.raises(ValueError, match="1 or 3 channels, not 2"):
        AutoAugment()(torch.zeros(1, 2, 8, 8, dtype=torch.uint8))
