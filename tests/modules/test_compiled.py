"""`model.compile=true`: the first compiled step is compared with the eager one."""

import pytest
import torch
from torch import nn

from litlab.errors import RunFailed
from litlab.modules import CompiledNetwork
from litlab.modules.supervised import Supervised
from litlab.networks import WhitenedCNN


def compiled_module(network, monkeypatch=None, compiled=None, batch_size=8):
    if monkeypatch:
        monkeypatch.setattr(torch, "compile", lambda function, **options: compiled)
    module = Supervised(network, nn.CrossEntropyLoss(), dict)
    module.compiled = CompiledNetwork(module.network, batch_size)
    return module


def batch(size=8, side=9):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(size, 3, side, side, generator=generator), torch.randint(10, (size,), generator=generator)


def small_network(dropout=0.0):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(dropout), nn.Linear(392, 10)
    )


@pytest.mark.parametrize(
    "wrong",
    [lambda output: output * 1.5, lambda output: output * torch.nan, lambda output: output.detach() + 0 * output],
)
def test_a_compiled_network_with_other_gradients_is_refused(monkeypatch, wrong):
    network = small_network()
    module = compiled_module(network, monkeypatch, lambda images: wrong(network(images)))
    with pytest.raises(RunFailed, match=r"model.compile=true: the gradients of the compiled network (differ|are not)"):
        module.step(*batch())


def test_a_compiled_network_that_rounds_otherwise_is_accepted_and_used(monkeypatch):
    network, calls = small_network(), []

    def compiled(images):
        calls.append(len(images))
        with torch.autocast("cpu", enabled=False):
            return network(images)

    module = compiled_module(network, monkeypatch, compiled)
    with torch.autocast("cpu", torch.bfloat16):
        first = module.step(*batch())[0]
        second = module.step(*batch())[0]
    assert torch.equal(first, second)
    assert calls == [8, 8, 8]  # the trial, and two steps
    module.step(*batch(5))
    assert len(calls) == 3  # a smaller batch is not compiled


def test_the_trial_leaves_weights_statistics_and_random_numbers_as_they_were(monkeypatch):
    found = []
    for tried in (True, False):
        network = small_network(dropout=0.5)
        module = compiled_module(network, monkeypatch, network)
        module.compiled.is_checked = not tried
        loss = module.step(*batch())[0]
        loss.backward()
        found.append([loss, *(p.grad for p in network.parameters()), *network.buffers(), torch.rand(3)])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_other_random_numbers_are_no_fault(monkeypatch):
    network = small_network(dropout=0.5)

    def compiled(images):
        torch.rand(100)
        return network(images)

    compiled_module(network, monkeypatch, compiled).step(*batch())
    network = small_network(dropout=0.5)
    module = compiled_module(network, monkeypatch, lambda images: 4 * network(images))
    with pytest.raises(RunFailed, match=r"model\.compile=true"):
        module.step(*batch())


@pytest.mark.slow
def test_the_network_of_the_record_compiles_to_finite_gradients_in_bfloat16():
    """Global pooling by `amax` had NaN here: its gradient compared rounded maxima with values that were not."""
    torch.manual_seed(0)
    network = WhitenedCNN((3, 9, 9), 10, widths=(4, 8, 8))
    network.look_at(batch()[0])
    module = compiled_module(network)
    with torch.autocast("cpu", torch.bfloat16):
        loss = module.step(*batch())[0]
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_rounding_in_mixed_precision_is_measured_and_allowed_for(monkeypatch):
    network = small_network()

    def compiled(images):  # another rounding: of the images
        return network((images * 1.01).bfloat16().float())

    module = compiled_module(network, monkeypatch, compiled)
    said = []
    monkeypatch.setattr("litlab.modules.compiled.TOLERANCE", -1.0)
    for mixed in (True, False):
        module.compiled.is_checked = False
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed), pytest.raises(RunFailed) as error:
            module.step(*batch())
        said.append(str(error.value))
    assert "rounding explains -100%" in said[1]
    assert "rounding explains -100%" not in said[0]
