import torch

from litlab import checkpoint
from litlab.networks import MLP


def test_a_good_one_loads_with_its_weights(write, weights):
    trained = checkpoint.load(write())
    assert isinstance(trained.network, MLP)
    assert not trained.network.training
    for name, value in trained.network.state_dict().items():
        assert torch.equal(value, weights[f"network.{name}"])
    assert trained.data.class_names == tuple("0123456789")
    assert trained.data.background == 0


def test_what_was_not_recorded_is_not_made_up(write, tmp_path):
    trained = checkpoint.load(str(write()))
    assert trained.path == tmp_path / "x.ckpt"
    assert (trained.task, trained.precision, trained.log_every_n_steps) == ("Classification", "32-true", 50)
    assert trained.metrics == {"val/acc": 0.5}
    assert trained.architecture.name == "litlab.networks.MLP"
    assert trained.source.name == "litlab.data.MNISTSample"
    assert not any(parameter.requires_grad for parameter in trained.network.parameters())
