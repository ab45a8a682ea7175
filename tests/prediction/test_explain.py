"""Heat maps of `explain=gradcam`."""

import json

import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import models

from litlab import checkpoint
from litlab.errors import ConfigError
from litlab.networks import MLP, MLPMixer, MnistCNN, ViT
from litlab.prediction import details
from litlab.prediction.explain import explained, heat_maps, overlaid


def bright_spots(inplace: bool) -> nn.Module:
    """Two classes: how bright the picture is, and nothing."""
    network = nn.Sequential(
        nn.Conv2d(1, 1, 3, padding=1, bias=False),
        nn.ReLU(inplace),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(1, 2, bias=False),
    ).eval()
    nn.init.constant_(network[0].weight, 1 / 9)
    network[4].weight.data = torch.tensor([[1.0], [0.0]])
    return network


@pytest.mark.parametrize("inplace", [False, True])
def test_the_map_is_where_the_class_is(inplace):
    images = torch.zeros(2, 1, 16, 16)
    images[0, :, 2:6, 9:13] = 1
    images[1, :, 10:14, 1:5] = 1
    maps = heat_maps(bright_spots(inplace), images)
    assert maps.shape == (2, 16, 16)
    assert maps.amax((1, 2)).tolist() == [1, 1]
    inside = images[:, 0] > 0
    assert maps[inside].mean() > 0.6
    assert maps[~inside].mean() < 0.1


def test_the_map_is_the_formula_of_the_paper():
    torch.manual_seed(0)
    network, images = MnistCNN().eval(), torch.randn(3, 1, 28, 28)
    features, classifier = network.features[:4], nn.Sequential(*network.features[4:], network.classifier)
    maps = features(images).detach().requires_grad_()
    (gradients,) = torch.autograd.grad(classifier(maps).amax(1).sum(), maps)
    expected = (gradients.mean((2, 3), keepdim=True) * maps.detach()).sum(1, keepdim=True).relu()
    expected = nn.functional.interpolate(expected, (28, 28), mode="bilinear")[:, 0]
    expected /= expected.amax((1, 2), keepdim=True)
    torch.testing.assert_close(heat_maps(network, images), expected)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "convnext_tiny", "vgg11", "squeezenet1_0", "mobilenet_v3_small"])
def test_networks_of_the_registry_have_maps(name):
    network = models.get_model(name, num_classes=3).eval().requires_grad_(False)
    maps = heat_maps(network, torch.randn(2, 3, 64, 64))
    assert maps.shape == (2, 64, 64)
    assert torch.isfinite(maps).all()
    assert maps.min() >= 0
    assert maps.max() <= 1


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (MLP((1, 8, 8), 3), "has no convolution whose feature maps have more than one pixel"),
        (MLPMixer((3, 32, 32), 3), "mixes tokens, which are no feature maps"),
        (ViT((3, 32, 32), 3), "is a transformer, whose tokens have no feature maps"),
        (models.vit_b_16(num_classes=3, image_size=32), "is a transformer"),
        (models.swin_t(num_classes=3), "is a transformer"),
    ],
)
def test_a_network_without_feature_maps_is_refused(network, message):
    shape = (1, 1, 8, 8) if isinstance(network, MLP) else (1, 3, 32, 32)
    with pytest.raises(ValueError, match=message):
        heat_maps(network.eval(), torch.zeros(shape))


def test_colour_is_where_the_map_is():
    image, heat = torch.full((1, 4, 4), 100, dtype=torch.uint8), torch.zeros(4, 4)
    heat[0, 0] = 1
    picture = overlaid(image, heat)
    assert picture[:, 1, 1].tolist() == [100, 100, 100]
    assert picture[0, 0, 0] > 190 > picture[2, 0, 0] < 50


def test_the_sheet_shows_heat_maps_and_the_predictions_stay(best, digits, use, tmp_path):
    folder, _ = digits
    use(f"ckpt={best}", f"input={folder}", "output=plain")
    use(f"ckpt={best}", f"input={folder}", "output=heat", "explain=gradcam")
    for name in ("predictions.csv", "predictions.json"):
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "heat" / name).read_bytes()
    plain, heat = (saturation(tmp_path / name / "predictions.png") for name in ("plain", "heat"))
    assert plain < 1 < heat


def test_where_nothing_was_wrong_there_is_nothing_to_explain(best, use, monkeypatch, capsys):
    monkeypatch.setattr(details, "most_confident_mistakes", lambda *arguments, **earlier: [])
    use(f"ckpt={best}", "evaluate=test", "explain=gradcam")
    assert capsys.readouterr().out.endswith("explain=gradcam: no picture was wrong, so there is none to explain\n")


def test_the_most_wrong_are_explained(best, use, tmp_path, capsys):
    use(f"ckpt={best}", "evaluate=test", "output=plain")
    assert "written to plain: evaluation.json, " in capsys.readouterr().out
    use(f"ckpt={best}", "evaluate=test", "output=plain")
    assert "written to plain, in place of earlier files: evaluation.json, " in capsys.readouterr().out
    use(f"ckpt={best}", "evaluate=test", "output=heat", "explain=gradcam")
    assert "no picture was wrong" not in capsys.readouterr().out
    results = [json.loads((tmp_path / name / "evaluation.json").read_text()) for name in ("plain", "heat")]
    assert results[0]["metrics"] == results[1]["metrics"]
    assert saturation(tmp_path / "heat/most_wrong.png") > saturation(tmp_path / "plain/most_wrong.png") + 1


def saturation(file) -> float:
    """How colourful a picture is, from 0 to 255."""
    with Image.open(file) as picture:
        pixels = torch.frombuffer(bytearray(picture.convert("HSV").tobytes()), dtype=torch.uint8)
    return pixels[1::3].float().mean().item()


def test_many_pictures_are_explained_like_one(best):
    trained = checkpoint.load(best)
    images = torch.randint(256, (11, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    together, alone = explained(trained, images), torch.cat([explained(trained, image[None]) for image in images])
    assert (together.int() - alone.int()).abs().max() <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["input=a.png", "explain=lime"], "explain=lime: must be none or gradcam"),
        (["export=onnx", "explain=gradcam"], "explain=gradcam: not for export"),
        (["evaluate=test", "explain=gradcam", "tta=flip"], "explain=gradcam: for one view of a picture; leave tta out"),
    ],
)
def test_a_wrong_setting_is_one_line(ckpt, use, settings, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        use(ckpt, *settings)
