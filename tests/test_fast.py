"""The parts of the speed records: whitening, Muon."""

import pytest
import torch
import torch.nn.functional as F
from scripts import QUICK, asked
from torch import nn

from litlab.data import MNISTSample
from litlab.modules import Muon
from litlab.modules.optimizers import orthogonal
from litlab.networks import WhitenedCNN
from litlab.training import assemble
from litlab.training.weights import show_data


@pytest.fixture(scope="module")
def images():
    data = MNISTSample(data_dir="unused")
    data.setup()
    return data.normalize(data.train_set.images[:1000])


def test_what_the_whitening_makes_of_the_data_has_no_correlations(images):
    network = WhitenedCNN(images.shape[1:])
    network.look_at(images)
    x = F.conv2d(images, network.whitening)[:, :4].transpose(0, 1).flatten(1).double()
    covariance = x @ x.T / x.shape[1]
    torch.testing.assert_close(covariance, torch.diag(covariance.diagonal()), atol=1e-4, rtol=0)
    assert (covariance.diagonal() > 0.9).all()
    assert (covariance.diagonal() < 1.001).all()
    assert torch.equal(network.whitening[4:], -network.whitening[:4])


def test_evaluation_averages_over_mirrored_and_moved_images(images):
    torch.manual_seed(0)
    network, some = WhitenedCNN(images.shape[1:], widths=(4, 4, 4)).eval(), images[:3]
    moved = F.pad(some, (1, 1, 1, 1), "reflect")
    views = {some: 0.5, moved[..., :28, :28]: 0.25, moved[..., 2:, 2:]: 0.25}
    expected = sum(w * (network.logits(v) + network.logits(v.flip(-1))) / 2 for v, w in views.items())
    torch.testing.assert_close(network(some), expected)
    network.test_time = "none"
    torch.testing.assert_close(network(some), network.logits(some))
    network.test_time = "mirror"
    torch.testing.assert_close(network(some), network(some.flip(-1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"input_shape": (1, 8, 8)}, "at least 9 x 9"), ({"widths": (4, 4)}, "^widths must be three")],
)
def test_what_the_network_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        WhitenedCNN(**arguments)


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
        torch.testing.assert_close(parameter.detach(), before[parameter] * 0.99 - rate * 1.85 * parameter.grad)


def test_muon_decays_weights_less_when_the_learning_rate_has_fallen():
    dense = nn.Linear(4, 2)
    optimizer = Muon(dense.parameters(), lr=0.1, head_factor=2, bias_factor=3, weight_decay=0.01)
    for parameter in dense.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for group in optimizer.param_groups:
        group["lr"] *= 0.5
    before = dense.weight.detach().clone(), dense.bias.detach().clone()
    optimizer.step()
    torch.testing.assert_close((dense.weight.detach(), dense.bias.detach()), tuple(0.995 * value for value in before))


@pytest.mark.parametrize("name", ["lr", "momentum", "sgd_momentum", "head_factor", "bias_factor", "weight_decay"])
def test_muon_refuses_values_that_cannot_be(name):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        Muon([nn.Parameter(torch.zeros(2))], **{name: -1})


def test_a_whitened_network_sees_its_data_first_and_goes_on_as_it_was(train_here):
    fast = ["model=whitened_cnn", "model.widths=[16,32,32]", "optimizer=muon", "scheduler=linear", "data.val_size=0"]
    more = [
        "objective=train/loss",
        "data.augment=[alternating_flip]",
        "data.train_limit=1000",
        "data.batch_size=50",
        "optimizer.head_factor=140",
        "optimizer.bias_factor=11",
    ]
    done = train_here(*QUICK, *fast, *more)
    assert done.status == 0, done.err
    saved = torch.load(done.runs[0] / "checkpoints/last.ckpt", weights_only=True)
    whitening = saved["state_dict"]["network.whitening"]
    data = MNISTSample(data_dir="unused", val_size=0, train_limit=1000)
    data.setup()
    fresh = WhitenedCNN((1, 28, 28))
    fresh.look_at(data.normalize(data.train_set.__getitems__(list(range(1000)))[0]))
    torch.testing.assert_close(whitening, fresh.whitening)
    assert done.result["metrics"]["train/loss"] < 2
    assert not any(name.startswith("val/") for name in done.result["metrics"])
    assert "learning rate" not in " ".join(done.result["diagnosis"])
    done = train_here("resume=latest", "trainer.max_epochs=2")
    assert done.status == 0, done.err
    saved = torch.load(done.runs[0] / "checkpoints/last.ckpt", weights_only=True)
    assert torch.equal(saved["state_dict"]["network.whitening"], whitening)


def test_a_whitened_network_is_shown_images_of_the_size_it_will_see():
    run = asked("data=mnist_sample", "data.image_size=56", "data.augment=[cutout]", "model=whitened_cnn")
    run, data, module = assemble(run)
    data.setup()
    show_data(run, module.network, data)
    images, _ = data.train_set.__getitems__(list(range(5000 * 32**2 // 56**2)))
    fresh = WhitenedCNN((1, 56, 56))
    fresh.look_at(torch.nn.functional.interpolate(data.normalize(images), (56, 56), mode="bilinear", antialias=True))
    assert torch.equal(module.network.whitening, fresh.whitening)


def test_compiled_steps_make_the_same_weights(tmp_path, train_here):
    """Three whole batches, and a last one that is smaller and so not compiled."""
    found = []
    for compiled in (True, False):
        torch._dynamo.utils.counters.clear()
        options = ("model=mlp", "data.train_limit=200", "trainer.precision=32-true", f"model.compile={compiled}")
        done = train_here(*QUICK, *options, f"hydra.run.dir=compiled_{compiled}")
        assert done.status == 0, done.err
        assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == int(compiled)
        saved = torch.load(tmp_path / f"compiled_{compiled}/checkpoints/last.ckpt", weights_only=True)
        found.append(saved["state_dict"])
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)
    assert all(name.startswith("network.layers") for name in found[0])


def test_without_a_compiler_compile_is_one_line(train):
    done = train(*QUICK, "model=mlp", "model.hidden=[7]", "model.compile=true", CXX="no-such-compiler")
    assert done.status == 1
    assert done.err.splitlines()[-1].startswith("failed: model.compile=true: InvalidCxxCompiler: No working C++ comp")
    assert "Traceback" not in done.err
