"""`tta=`: several views of each image."""

import dataclasses
import json

import pytest
import torch
import torch.nn.functional as F
from predictions import evaluated
from scripts import asked
from torchvision.transforms.v2 import FiveCrop

from litlab import checkpoint
from litlab.data import MNISTSample
from litlab.errors import ConfigError
from litlab.networks import MnistCNN
from litlab.prediction.views import Views, five_crops, flip, flip_shift, with_views


@pytest.fixture
def images():
    data = MNISTSample()
    data.setup()
    return data.preprocess(data.test_set.images[:9], data.test_set.targets[:9], training=False)[0]


@torch.no_grad()
def test_the_views_are_those_of_their_source(images):
    torch.manual_seed(0)
    network = MnistCNN().eval()

    def mirrored(view):
        return (network(view) + network(view.flip(-1))) / 2

    assert torch.allclose(Views(network, flip)(images), mirrored(images), atol=1e-5)
    padded = F.pad(images, (1,) * 4, "reflect")
    up_left, down_right = padded[:, :, 0:28, 0:28], padded[:, :, 2:30, 2:30]
    expected = 0.5 * mirrored(images) + 0.25 * mirrored(up_left) + 0.25 * mirrored(down_right)
    assert torch.allclose(Views(network, flip_shift)(images), expected, atol=1e-5)


def test_five_crops_are_as_large_as_the_images(images):
    crops = five_crops(images)
    assert [crop.shape for crop in crops] == [images.shape] * 5
    for ours, theirs in zip(crops, FiveCrop(round(28 * 7 / 8))(images), strict=True):
        assert torch.allclose(ours, F.interpolate(theirs, 28, mode="bilinear", antialias=True), atol=1e-5)


def test_predictions_and_metrics_are_those_of_the_mean_of_the_logits(best, use, tmp_path, digits):
    folder, _ = digits
    picture = f"input={folder}/00_7.png"
    use(f"ckpt={best}", picture, "output=plain")
    use(f"ckpt={best}", picture, "tta=flip", "output=flip")
    plain, flipped = (
        json.loads((tmp_path / name / "predictions.json").read_text())[0]["probabilities"] for name in ("plain", "flip")
    )
    assert plain != flipped
    trained, data = checkpoint.load(best), MNISTSample()
    data.setup()
    inputs, targets = data.preprocess(data.test_set.images, data.test_set.targets, training=False)
    with torch.no_grad():
        logits = (trained.network(inputs) + trained.network(inputs.flip(3))) / 2
    use(f"ckpt={best}", "evaluate=test", "tta=flip", "output=measured", "trainer.precision=32-true")
    found = evaluated(tmp_path / "measured")
    assert found["tta"] == "flip"
    assert found["metrics"]["test/acc"] == pytest.approx((logits.argmax(1) == targets).float().mean().item())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tta=mirror", "evaluate=test"], "^tta=mirror: must be none, flip, flip_shift, five_crop$"),
        (["tta=flip", "export=state_dict"], "^tta=flip: for input, evaluate and demo, not for export$"),
    ],
)
def test_what_is_not_possible_is_one_line(best, use, arguments, said):
    with pytest.raises(ConfigError, match=said):
        use(f"ckpt={best}", *arguments)


def test_a_regression_has_no_views(best):
    regression = dataclasses.replace(checkpoint.load(best), task="Regression")
    with pytest.raises(ConfigError, match="^tta=flip: only for classes; the views would move the outputs"):
        with_views(regression, asked("evaluate=test", "tta=flip", script="predict"))
