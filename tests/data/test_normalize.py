"""Normalisation."""

import torch
from torchvision.transforms.v2 import functional as reference

from litlab.data import Normalize


def test_normalize_is_torchvisions():
    images = torch.randint(256, (200, 3, 12, 9), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    expected = reference.normalize(images.float() / 255, mean, std)
    normalize = Normalize(mean, std)
    torch.testing.assert_close(normalize(images), expected)
    torch.testing.assert_close(normalize(images), expected)  # with the constants from the first call
    torch.testing.assert_close(Normalize()(images), images.float() / 255)
    assert normalize(images).dtype == torch.float32
