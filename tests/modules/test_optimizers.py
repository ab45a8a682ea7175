"""Muon, and what is added to the optimizers of torch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from litlab.modules import Muon
from litlab.modules.optimizers import orthogonal, with_all_momenta


@pytest.mark.parametrize("shape", [(8, 50), (50, 8), (16, 16)])
def test_newton_schulz_makes_all_singular_values_alike(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrix, steps=8))
    assert values.min() > 0.6
    assert values.max() < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert F.cosine_similarity(orthogonal(matrix, steps=8).flatten(), (left @ right).flatten(), dim=0) > 0.97


def test_muon_moves_filters_by_orthogonal_steps_and_keeps_their_norm():
    torch.manual_seed(0)
    conv, dense = nn.Conv2d(3, 8, 3), nn.Linear(4, 2)
    optimizer = Muon([*conv.parameters(), *dense.parameters()], lr=0.1, head_factor=2, bias_factor=3, weight_decay=0.01)
    assert {g["kind"]: g["lr"] for g in optimizer.param_groups} == pytest.approx(
        {"filters": 0.1, "matrices": 0.2, "vectors": 0.3}
    )
    before = {p: p.detach().clone() for g in optimizer.param_groups for p in g["params"]}
    for parameter in before:
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    start = before[conv.weight] * 8**0.5 / before[conv.weight].norm()
    step = (start - conv.weight.detach()).flatten(1) / 0.1
    assert torch.linalg.svdvals(step).max() < 1.3
    for parameter, rate in ((dense.weight, 0.2), (conv.bias, 0.3)):  # Nesterov: g + 0.85 * g at the first step
        gradient = parameter.grad + 0.01 / rate * before[parameter]
        torch.testing.assert_close(parameter.detach(), before[parameter] - rate * 1.85 * gradient)


def test_muon_treats_all_but_filters_as_sgd_with_nesterov_momentum_does():
    torch.manual_seed(0)
    layers = [nn.Linear(4, 2) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    groups = [
        {"params": [layers[1].weight], "lr": 0.2, "weight_decay": 0.01 / 0.2},
        {"params": [layers[1].bias], "lr": 0.3, "weight_decay": 0.01 / 0.3},
    ]
    optimizers = [
        Muon(layers[0].parameters(), lr=0.1, head_factor=2, bias_factor=3, weight_decay=0.01),
        torch.optim.SGD(groups, momentum=0.85, nesterov=True),
    ]
    for step in range(3):
        inputs = torch.randn(5, 4)
        for layer, optimizer in zip(layers, optimizers, strict=True):
            optimizer.zero_grad()
            layer(inputs).square().mean().backward()
            optimizer.step()
            for group in optimizer.param_groups:
                group["lr"] *= 0.5
        torch.testing.assert_close(layers[0].weight, layers[1].weight, msg=f"weight after step {step}")
        torch.testing.assert_close(layers[0].bias, layers[1].bias, msg=f"bias after step {step}")


@pytest.mark.parametrize("name", ["lr", "momentum", "sgd_momentum", "head_factor", "bias_factor", "weight_decay"])
def test_muon_refuses_wrong_values(name):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        Muon([nn.Parameter(torch.zeros(2))], **{name: -1})


def test_other_hooks_are_called_after_each_step_of_sgd():
    """torch ends in an error where a hook is removed while hooks are called."""
    parameters = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))]
    optimizer = with_all_momenta(torch.optim.SGD(parameters, 0.1, momentum=0.9))
    steps = []
    optimizer.register_step_post_hook(lambda *_: steps.append(len(steps)))
    parameters[0].grad = torch.ones(2)
    for _ in range(3):
        optimizer.step()
    assert steps == [0, 1, 2]
    assert optimizer.state[parameters[1]]["momentum_buffer"].tolist() == [0, 0, 0]
