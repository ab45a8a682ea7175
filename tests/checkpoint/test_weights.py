from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from litlab import checkpoint
from litlab.checkpoint import read_weights
from litlab.networks import MLP, ResNet18, load_weights


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


@pytest.mark.slow
def test_each_kind_of_file_fits_the_network(tmp_path):
    state_dict = ResNet18().state_dict()
    torch.save(state_dict, tmp_path / "a.pth")
    save_file(state_dict, tmp_path / "a.safetensors")
    checkpoint.write(
        {"litlab": {}, "state_dict": {f"network.{k}": v for k, v in state_dict.items()}}, tmp_path / "a.ckpt"
    )
    for name in ("a.pth", "a.safetensors", "a.ckpt"):
        assert load_weights(ResNet18(), read_weights(tmp_path / name)) == []
    for name in ("bad.pth", "bad.safetensors"):
        (tmp_path / name).write_bytes(b"no weights")
        with pytest.raises(ValueError, match=f"{name}: not a whole"):
            read_weights(tmp_path / name)
        with pytest.raises(FileNotFoundError, match="no such"):
            read_weights(tmp_path / f"no_{name}")
    torch.save({"epoch": 3, "model_state_dict": state_dict}, tmp_path / "c.pth")
    torch.save(torch.nn.DataParallel(ResNet18()).state_dict(), tmp_path / "d.pth")
    for name in ("c.pth", "d.pth"):
        network = ResNet18()
        assert load_weights(network, read_weights(tmp_path / name)) == []
    parallel = read_weights(tmp_path / "d.pth")["module.conv1.weight"]
    assert torch.equal(network.conv1.weight, parallel)
    for holder in ("model", "net", "state_dict", "model_ema"):
        torch.save({"epoch": 3, holder: state_dict}, tmp_path / "e.pth")
        assert load_weights(ResNet18(), read_weights(tmp_path / "e.pth")) == []
    torch.save({"epoch": 1}, tmp_path / "b.pth")
    with pytest.raises(ValueError, match="its weight epoch is a int, not a tensor; the file has epoch"):
        read_weights(tmp_path / "b.pth")


def test_weights_that_would_run_code_are_refused(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "pickled.pth")
    with pytest.raises(ValueError, match=r"pickled\.pth: holds pickled objects"):
        read_weights(tmp_path / "pickled.pth")


def test_a_file_from_before_pytorch_1_6_is_read(tmp_path):
    weights = {"layer.weight": torch.arange(6.0).view(2, 3), "layer.bias": torch.ones(2)}
    torch.save(weights, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    found = read_weights(tmp_path / "old.pth")
    assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())


@pytest.mark.parametrize("damage", ["cut off", "too large", "code"])
def test_an_old_file_has_the_same_limits_as_a_new_one(tmp_path, damage):
    content = {"a": torch.zeros(1).expand(10**9)} if damage == "too large" else {"a": torch.zeros(1000)}
    content |= {"b": Path("x")} if damage == "code" else {}
    path = tmp_path / "old.pth"
    torch.save(content, path, _use_new_zipfile_serialization=False)
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:-50])
    message = {"cut off": "not a whole", "too large": "larger than the whole file", "code": "could run code"}[damage]
    with pytest.raises(ValueError, match=message):
        read_weights(path)
