"""Transfer learning: the head, the frozen backbone, and torchvision's own weights."""

import re
import urllib.request

import pytest
import torch
import torchvision

from litlab.modules import Classification
from litlab.networks import (
    MLP,
    VGG11,
    AlexNet,
    CIFAR10Quick,
    GoogLeNet,
    LeNet5,
    MnistCNN,
    ResNet18,
    WhitenedCNN,
    load_published,
    load_weights,
    preprocessing,
)

TORCHVISION = {
    ResNet18: lambda: torchvision.models.resnet18(),
    AlexNet: lambda: torchvision.models.alexnet(),
    VGG11: lambda: torchvision.models.vgg11_bn(init_weights=False),
    GoogLeNet: lambda: torchvision.models.googlenet(aux_logits=False, init_weights=False),
}
ARGUMENTS = {GoogLeNet: {"auxiliary_weight": 0.0}}
IMAGENET = {"input_shape": (3, 64, 64), "num_classes": 3, "variant": "imagenet"}


@pytest.mark.slow
@pytest.mark.parametrize("cls", TORCHVISION)
def test_with_torchvisions_weights_a_network_is_torchvisions(cls):
    torch.manual_seed(0)
    published = TORCHVISION[cls]().eval()
    network = cls(**IMAGENET, **ARGUMENTS.get(cls, {}), head="append")
    added = [name for name in network.state_dict() if ".appended." in name]
    assert load_weights(network, published.state_dict()) == added
    appended = next(module for name, module in network.named_modules() if name.endswith(".appended"))
    assert (appended.in_features, appended.out_features) == (1000, 3)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(images), appended(published(images)))


@pytest.mark.parametrize("head", ["replace", "append"])
@pytest.mark.parametrize("cls", [ResNet18, GoogLeNet])
def test_a_frozen_backbone_stands_still(cls, head):
    torch.manual_seed(0)
    network = cls((3, 32, 32), 3, head=head, freeze="backbone")
    module = Classification(network, 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network.train()
    output = network(torch.randn(4, 3, 32, 32) + 3)
    loss = module.loss(getattr(output, "predictions", output), torch.tensor([0, 1, 2, 0]))
    for branch in getattr(output, "auxiliary", ()):
        loss = loss + module.loss(branch, torch.tensor([0, 1, 2, 0]))
    loss.backward()
    optimizer.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    new = {f"{name}{part}" for name in network.new_layers for part in ("weight", "bias")}
    assert changed == new == {name for name, p in network.named_parameters() if p.requires_grad}


def test_weights_that_do_not_fit_are_listed():
    state_dict = torchvision.models.resnet18().state_dict()
    state_dict["fc2.weight"] = state_dict.pop("layer1.0.conv1.weight")
    with pytest.raises(ValueError) as caught:
        load_weights(ResNet18(**IMAGENET), state_dict)
    assert str(caught.value) == (
        "weights do not fit ResNet18: 1 missing: layer1.0.conv1.weight; 1 unexpected: fc2.weight; "
        "2 of another size: fc.weight [1000, 512], not [3, 512], fc.bias [1000], not [3]"
    )


@pytest.mark.parametrize(
    ("dtype", "refused"), [("complex64", True), ("int64", True), ("bool", True), ("float16", False), ("float64", False)]
)
def test_weights_that_are_no_decimal_numbers_are_refused(dtype, refused):
    network = MLP((1, 4, 4), 3, hidden=[2])
    before = next(network.parameters()).clone()
    first, *_ = state_dict = {name: tensor.to(getattr(torch, dtype)) for name, tensor in network.state_dict().items()}
    if not refused:
        assert load_weights(network, state_dict) == []
        return
    with pytest.raises(ValueError, match=rf"4 of another type: {first} {dtype}, not float32, ") as caught:
        load_weights(network, state_dict, skip_head=True)
    assert "weights_skip_head" not in str(caught.value)
    assert torch.equal(next(network.parameters()), before)


def test_a_head_of_another_size_is_skipped_only_when_asked_to():
    state_dict = torchvision.models.resnet18().state_dict()
    network = ResNet18(**IMAGENET)
    head = network.fc.weight.clone()
    with pytest.raises(ValueError, match="; model.weights_skip_head=true starts the head anew"):
        load_weights(network, state_dict)
    assert load_weights(network, state_dict, skip_head=True) == ["fc.weight", "fc.bias"]
    assert torch.equal(network.fc.weight, head)
    assert torch.equal(network.conv1.weight, state_dict["conv1.weight"])
    same = torchvision.models.resnet18(num_classes=3).state_dict()
    assert load_weights(network, same, skip_head=True) == []
    assert torch.equal(network.fc.weight, same["fc.weight"])


def test_weights_for_colour_images_see_the_same_in_a_grey_one():
    colour, grey = ResNet18((3, 32, 32), 5).eval(), ResNet18((1, 32, 32), 5).eval()
    with pytest.warns(UserWarning, match="^weights: conv1.weight of 3 channels was made to fit 1$"):
        load_weights(grey, colour.state_dict())
    images = torch.rand(2, 1, 32, 32)
    assert torch.allclose(grey(images), colour(images.expand(-1, 3, -1, -1)), atol=1e-5)
    with pytest.warns(UserWarning, match="^weights: conv1.weight of 1 channel was made to fit 3$"):
        load_weights(colour, grey.state_dict())
    assert torch.allclose(grey(images), colour(images.expand(-1, 3, -1, -1)), atol=1e-5)


def test_another_size_of_the_first_kernel_is_still_refused():
    state_dict = ResNet18((3, 32, 32), 5).state_dict()
    state_dict["conv1.weight"] = torch.zeros(64, 3, 5, 5)
    with pytest.raises(ValueError, match=r"1 of another size: conv1.weight \[64, 3, 5, 5\], not \[64, 1, 3, 3\]"):
        load_weights(ResNet18((1, 32, 32), 5), state_dict)


@pytest.mark.parametrize("cls", [MLP, MnistCNN, LeNet5, CIFAR10Quick, WhitenedCNN])
def test_the_head_of_any_network_can_be_skipped(cls):
    network, other = cls((3, 32, 32), 3), cls((3, 32, 32), 10)
    with pytest.raises(ValueError, match="; model.weights_skip_head=true starts the head anew"):
        load_weights(network, other.state_dict())
    skipped = load_weights(network, other.state_dict(), skip_head=True)
    last = [name for name, value in network.state_dict().items() if value.shape[:1] == (3,)]
    assert skipped == last


def test_published_weights_on_disk_are_used(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = ResNet18.published()
    folder = tmp_path / "hub/checkpoints"
    folder.mkdir(parents=True)
    state_dict = torchvision.models.resnet18().state_dict()
    torch.save(state_dict, folder / "resnet18-f37072fd.pth")
    network = ResNet18(**IMAGENET)
    load_published(network, weights)
    assert torch.equal(network.layer4[1].conv2.weight, state_dict["layer4.1.conv2.weight"])
    assert preprocessing(weights) == {
        "image_size": 224,
        "resize": 256,
        "interpolation": "bilinear",
        "normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    }


def test_published_weights_that_cannot_be_downloaded_say_where_to_put_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nothing answers
    monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps the proxies of its first use
    with pytest.raises(FileNotFoundError) as caught:
        load_published(ResNet18(**IMAGENET), ResNet18.published())
    file = re.escape(str(tmp_path / "hub/checkpoints/resnet18-f37072fd.pth"))
    assert re.fullmatch(
        rf"pretrained=true: https://download\.pytorch\.org/\S+ could not be downloaded \(.*refused.*\); "
        rf"put the file there by hand: {file}; or write model=efficientnet_lite0, .* or model\.pretrained=false",
        str(caught.value),
    )
