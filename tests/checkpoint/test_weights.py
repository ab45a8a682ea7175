import pytest
import torch

from litlab.checkpoint import read_weights
from litlab.networks import MLP


@pytest.fixture
def network():
    torch.manual_seed(0)
    return MLP(hidden=[4])


def same(found, network):
    own = network.state_dict()
    return found.keys() == own.keys() and all(torch.equal(found[name], own[name]) for name in own)


def test_weights_are_read_from_each_kind_of_file(network, tmp_path, write, weights):
    path = tmp_path / "weights.pt"
    torch.save(network.state_dict(), path)
    assert same(read_weights(path), network)
    torch.save({"model_state_dict": network.state_dict(), "epoch": 3}, path)
    assert same(read_weights(path), network)
    found = read_weights(write())  # one of litlab's checkpoints
    assert {f"network.{name}" for name in found} == set(weights)


def test_weights_are_read_from_safetensors(network, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(network.state_dict(), tmp_path / "w.safetensors")
    assert same(read_weights(tmp_path / "w.safetensors"), network)
    (tmp_path / "w.safetensors").write_bytes(b"no such file")
    with pytest.raises(ValueError, match=r"w.safetensors: not a whole safetensors file") as caught:
        read_weights(tmp_path / "w.safetensors")
    assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"none.safetensors: no such file"):
        read_weights(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "its weights are a list, not a mapping of names to tensors"),
        ({"a": 1}, "its weight a is a int, not a tensor"),
        ({1: torch.ones(1)}, "the name of a weight is int '1', not a text"),
    ],
)
def test_what_holds_no_weights_is_refused(content, message, tmp_path):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(ValueError, match=f"x.pt: {message}"):
        read_weights(tmp_path / "x.pt")
