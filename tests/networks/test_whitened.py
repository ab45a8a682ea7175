"""The network of the CIFAR-10 speed record."""

import pytest
import torch
import torch.nn.functional as F
from scripts import QUICK, asked

from litlab.data import MNISTSample
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
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        WhitenedCNN(**arguments)


@pytest.mark.slow
def test_a_whitened_network_looks_at_its_data_before_training_and_not_when_resumed(train_here):
    fast = ["model=whitened_cnn", "model.widths=[16,32,32]", "optimizer=muon", "scheduler=linear", "data.val_size=0"]
    more = [
        "objective=train/loss",
        "data.augment=[alternating_flip]",
        "data.train_limit=1000",
        "data.batch_size=50",
        "optimizer.head_factor=140",
        "optimizer.bias_factor=11",
        "trainer.precision=32-true",
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
