"""Random crops, rotations, blurs and erased boxes against torchvision, image by image."""

import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from litlab.data import build_augmentations
from litlab.data import operations as op
from litlab.data.random_boxes import GaussianBlur, RandomErasing, RandomResizedCrop, RandomRotation


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def noise(batch=300, channels=3, height=20, width=16):
    return torch.randint(1, 256, (batch, channels, height, width), dtype=torch.uint8)


def near(found, wanted, most=1):
    return (found.int() - wanted.int()).abs().max() <= most


def test_a_resized_box_is_torchvisions():
    images = noise(4)
    boxes = [(0, 0, 20, 16), (3, 5, 7, 4), (1, 2, 17, 13), (10, 0, 1, 16)]
    top, left, height, width = torch.tensor(boxes).T
    found = op.resized_from(images, top, left, height, width)
    for image, box, resized in zip(images, boxes, found, strict=True):
        wanted = reference.resized_crop(image, *box, size=[20, 16], antialias=True)
        assert near(resized, wanted), box


def test_random_boxes_have_the_area_and_the_shape_that_were_asked_for():
    images = torch.full((2000, 1, 40, 40), 255, dtype=torch.uint8)
    erased = (RandomErasing(p=1.0, scale=(0.1, 0.3), ratio=(0.5, 2.0))(images) == 0)[:, 0]
    heights, widths = erased.any(2).sum(1), erased.any(1).sum(1)
    assert torch.equal(erased.flatten(1).sum(1), heights * widths)
    part, shape = heights * widths / 1600, heights / widths
    assert 0.09 < part.min() < 0.12
    assert 0.28 < part.max() < 0.32
    assert 0.45 < shape.min() < 0.6
    assert 1.7 < shape.max() < 2.3
    assert 0.19 < part.mean() < 0.21
    starts = erased.any(2).int().argmax(1)
    assert starts.min() == 0
    assert (starts + heights).max() == 40


def test_erasing_happens_as_often_as_asked_for_and_fills_as_asked_for():
    images = noise()
    found = RandomErasing(p=0.3, fill=0)(images)
    changed = (found != images).flatten(1).any(1)
    assert 60 < changed.sum() < 120
    assert torch.equal(found, torch.where(found == 0, 0, images))
    assert torch.equal(RandomErasing(p=0.0)(images), images)
    assert (RandomErasing(p=1.0, fill=None)(images) != images).flatten(1).any(1).float().mean() > 0.95


def test_a_crop_of_the_whole_image_is_the_image():
    images = noise(height=16)
    assert torch.equal(RandomResizedCrop(scale=(1.0, 1.0), ratio=(1.0, 1.0))(images), images)
    assert RandomResizedCrop()(noise()).shape == noise().shape


@pytest.mark.parametrize(("interpolation", "most"), [("nearest", 0), ("bilinear", 1)])
def test_a_rotation_is_torchvisions(interpolation, most):
    images = noise(20)
    angles = torch.empty(20).uniform_(-180, 180).double()
    found = op.moved(images, op.affine_matrices((20, 16), angle=-angles), interpolation)
    mode = reference.InterpolationMode(interpolation) if hasattr(reference, "InterpolationMode") else interpolation
    for image, angle, turned in zip(images, angles.tolist(), found, strict=True):
        assert near(turned, reference.rotate(image, angle, interpolation=mode), most)
    assert torch.equal(RandomRotation(degrees=0)(images), images)


def test_a_blur_is_torchvisions():
    images, sigmas = noise(6), [0.1, 0.5, 1.0, 1.5, 2.0, 5.0]
    for size in (3, 5, 9):
        found = op.blurred(images, torch.tensor(sigmas), size)
        for image, sigma, blurred in zip(images, sigmas, found, strict=True):
            assert near(blurred, reference.gaussian_blur(image, [size, size], [sigma, sigma]))


def test_wrong_values_are_refused():
    for name, arguments, message in (
        ("gaussian_blur", {"kernel_size": 4}, "kernel_size must be an odd number, not 4"),
        ("random_erasing", {"p": 2}, "p must be from 0 to 1, not 2"),
        ("random_resized_crop", {"scale": [0.5, 0.1]}, "scale must be two rising numbers above 0"),
        ("random_rotation", {"interpolation": "box"}, "interpolation must be nearest or bilinear"),
    ):
        with pytest.raises(ValueError, match=f"^augment {name}: {message}"):
            build_augmentations([{"name": name, **arguments}])
    with pytest.raises(ValueError, match="kernel_size must be below 8, not 9"):
        GaussianBlur(kernel_size=9)(noise(height=4))
