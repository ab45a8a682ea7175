"""Mixup and CutMix: what becomes of the images and the targets."""

import pytest
import torch

from litlab.data import Mix, MNISTSample


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


IMAGES = torch.arange(1.0, 201.0).view(-1, 1, 1, 1).expand(-1, 3, 20, 16)  # image i is i + 1 everywhere
TARGETS = torch.arange(200) % 7
OTHERS = IMAGES.roll(1, 0)


def shares(targets):
    """The share of each image's own class; where both classes are the same, 1."""
    return targets.gather(1, TARGETS[:, None])[:, 0]


@pytest.mark.parametrize("kind", ["mixup", "cutmix", "both"])
def test_targets_have_the_share_of_each_image(kind):
    images, targets = Mix(7, kind)(IMAGES, TARGETS)
    share = shares(targets)
    torch.testing.assert_close(targets.sum(1), torch.ones(200))
    seen = (images.mean((1, 2, 3)) - OTHERS[:, 0, 0, 0]) / (IMAGES - OTHERS)[:, 0, 0, 0]
    torch.testing.assert_close(seen, share, atol=1e-4, rtol=1e-4)
    is_cut = ((images == IMAGES) | (images == OTHERS)).flatten(1).all(1)
    assert {"mixup": is_cut.sum() < 20, "cutmix": bool(is_cut.all()), "both": 60 < is_cut.sum() < 140}[kind]
    assert len(share.unique()) > 50, "each image draws its own share"


def test_a_cut_box_is_a_rectangle_in_all_channels():
    images, _ = Mix(7, "cutmix")(IMAGES, TARGETS)
    box = images == OTHERS
    assert torch.equal(box[:, 0], box[:, 1])
    assert torch.equal(box[:, 0].sum((1, 2)), box[:, 0].any(1).sum(1) * box[:, 0].any(2).sum(1))


def test_alpha_is_that_of_the_beta_distribution():
    for alpha in (0.2, 1.0, 8.0):
        share = torch.cat([shares(Mix(7, "mixup", alpha=alpha)(IMAGES, TARGETS)[1]) for _ in range(20)])
        assert share.mean().item() == pytest.approx(0.5, abs=0.03)
        assert share.var().item() == pytest.approx(0.25 / (2 * alpha + 1), rel=0.1)


def test_images_are_mixed_as_often_and_as_long_as_asked_for():
    mix = Mix(7, "mixup", probability=0.25, until=0.5, epochs=4)
    unmixed = [(mix(IMAGES, TARGETS)[0] == IMAGES).flatten(1).all(1).sum() for _ in range(4)]
    assert 560 < sum(unmixed) < 640
    for epoch, mixes in ((1, True), (2, False), (3, False), (0, True)):
        mix.set_epoch(epoch)
        images, targets = mix(IMAGES, TARGETS)
        assert torch.equal(images, IMAGES) != mixes
        assert targets.shape == (200, 7)


def test_only_training_batches_are_mixed():
    data = MNISTSample()
    data.mix = Mix(10, "both")
    images, targets = torch.zeros(4, 1, 28, 28, dtype=torch.uint8), torch.tensor([0, 1, 2, 3])
    assert data.preprocess(images, targets, training=True)[1].shape == (4, 10)
    assert torch.equal(data.preprocess(images, targets, training=False)[1], targets)


def test_wrong_values_are_refused():
    for arguments, message in (
        ({"kind": "mix"}, "kind must be mixup, cutmix or both, not 'mix'"),
        ({"alpha": 0}, "alpha must be above 0, not 0"),
        ({"probability": 2}, "probability must be from 0 to 1, not 2"),
        ({"until": 0.5}, "until needs the length of the training"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            Mix(7, **arguments)
