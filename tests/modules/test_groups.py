from functools import partial

import pytest
import torch

from litlab.modules.groups import Grouped, block_depths, layers_in_words
from litlab.networks import (
    ConvNeXt,
    EfficientNetLite0,
    GoogLeNet,
    LeNet5,
    ResNet18,
    TorchvisionModel,
    ViT,
    WhitenedCNN,
)


def rates(network, **settings):
    """The learning rate and the weight decay of each parameter, by its name."""
    make = Grouped(partial(torch.optim.AdamW, lr=1.0, weight_decay=0.5), network, 1.0, 0.5, **settings)
    optimizer = make([p for p in network.parameters() if p.requires_grad])
    found = {id(p): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    assert optimizer.param_groups[0]["lr"] == 1.0
    return {name: found[id(p)] for name, p in network.named_parameters() if id(p) in found}


def test_norms_and_biases_do_not_decay():
    found = rates(ResNet18(), decay_norm_and_bias=False)
    assert {name for name, (_, decay) in found.items() if decay == 0} == {
        name for name, p in ResNet18().named_parameters() if p.ndim == 1
    }
    assert {lr for lr, _ in found.values()} == {1.0}


def test_the_backbone_learns_more_slowly():
    found = rates(ResNet18(), backbone_factor=0.1)
    assert {name for name, (lr, _) in found.items() if lr == 1.0} == {"fc.weight", "fc.bias"}
    assert {lr for lr, _ in found.values()} == {1.0, 0.1}


@pytest.mark.parametrize("make", [ResNet18, lambda: TorchvisionModel(name="resnet18")])
def test_learning_rates_fall_towards_the_input(make):
    found = rates(make(), layer_decay=0.5)
    by_block = {}
    for name, (lr, _) in found.items():
        by_block.setdefault(name.removeprefix("model.").rsplit(".", 1)[0][:8], lr)
    assert [by_block[b] for b in ("fc", "layer4.1", "layer4.0", "layer3.1", "layer1.0")] == [1, 0.5, 0.25, 0.125, 2**-8]
    assert by_block["conv1"] == 2**-8


def test_layers_are_blocks_where_nothing_has_a_number():
    layers = {"conv1.weight": 4, "conv1.bias": 1, "conv2.weight": 4, "fc.weight": 2, "fc.bias": 1}
    assert list(block_depths(layers, ("fc.",)).values()) == [0, 0, 1, 2, 2]
    names = ["embed.weight", "stages.0.blocks.0.w.weight", "stages.0.blocks.1.w.weight", "norm.weight", "head.weight"]
    blocks = dict(zip(names, (2, 2, 2, 1, 2), strict=True))
    assert list(block_depths(blocks, ("head.",)).values()) == [0, 0, 1, 1, 2]
    assert len({lr for lr, _ in rates(LeNet5(), layer_decay=0.5).values()}) > 2


@pytest.mark.parametrize(
    ("network", "blocks"),
    [
        (EfficientNetLite0((3, 64, 64), 3), 1 + 16 + 1 + 1),
        (ConvNeXt((3, 32, 32), 3), 1 + 6 + 2 + 1),
        (WhitenedCNN((3, 32, 32), 3), 3 + 1),
        (GoogLeNet((3, 64, 64), 3), 9 + 1),
        (ViT((3, 32, 32), 3), 6 + 1),
        (ResNet18((3, 32, 32), 3), 8 + 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, torch.nn.Module) else "",
)
def test_a_layer_in_a_block_is_no_block(network, blocks):
    """Beside the blocks there is the head. A convolution that stands alone in a list is a block of its own."""
    assert len({lr for lr, _ in rates(network, layer_decay=0.5).values()}) == blocks


def test_a_frozen_backbone_has_no_groups():
    assert set(rates(ResNet18(freeze="backbone"), backbone_factor=0.1)) == {"fc.weight", "fc.bias"}
    with pytest.raises(ValueError, match="^layer_decay must be above 0 and at most 1, not 2"):
        Grouped(torch.optim.SGD, ResNet18(), 1.0, layer_decay=2)


def test_groups_are_named_by_the_largest_layers_that_they_fill():
    network = ResNet18()
    names = [name for name, _ in network.named_parameters()]

    def words(**settings):
        return layers_in_words(
            Grouped(torch.optim.SGD, network, 0.1, 0.5, **settings).groups(network.parameters()), names
        )

    backbone = "conv1, bn1, layer1, layer2, layer3, layer4"
    assert words(backbone_factor=0.1) == ["fc", backbone]
    assert words(decay_norm_and_bias=False) == [f"{which} of {backbone}, fc" for which in ("weights", "norms, biases")]
    assert words(layer_decay=0.5) == [
        *("fc", "layer4.1", "layer4.0", "layer3.1", "layer3.0", "layer2.1", "layer2.0", "layer1.1"),
        "conv1, bn1, layer1.0",
    ]
