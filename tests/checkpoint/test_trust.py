"""Names in a checkpoint that mean harm. Each is refused in one line, and nothing runs, appears or stays."""

import os
import sys

import pytest
import torch
from checkpoints import refused
from scripts import finish, start
from torch import nn

from litlab import checkpoint
from litlab.checkpoint import trust
from litlab.data import MNISTSample
from litlab.errors import ConfigError

HOSTILE_NAMES = [
    "os.system",
    "posix.system",
    "builtins.open",
    "builtins.exec",
    "pathlib.Path.write_text",
    "subprocess.Popen",
    "torch.load",
    "torch.hub.load",
    "torch.utils.cpp_extension.load_inline",
    "torch.nn.modules.module.torch.hub.load",
    "torchvision.models.os.system",
    "torchvision.models._api.importlib.import_module",
    "torchvision.models.get_model",
    "torchvision.models.get_weight",
    "torchvision.models._api.load_state_dict_from_url",
    "torchvision.models.resnet.ResNet18_Weights",
    "litlab.networks.mlp.math.prod",
    "litlab.networks.summarize",
    "litlab.networks.convnets.torch.hub.load",
    "litlab.networks.mlp.MLP.__init__.__globals__",
    "litlab.networks.__builtins__",
    "litlab.networks.mlp.Tensor",
    "litlab.networks_of_mine.Net",
    "litlab.checkpoint.load",
    "litlab.worker.main",
    "hydra.utils.instantiate",
    "functools.partial",
    "torch.nn.functional.relu",
    "torch.nn.init.normal_",
    "torch.nn.utils.parametrize.register_parametrization",
    "torch.nn.parameter.Parameter",
    "..networks.MLP",
    "litlab.networks.MLP\nos.system",
    "litlab.networks.MLP ",
    "MLP",
    "",
    "a." * 5000 + "b",
    "\x1b]0;title\x07.x",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("part", ["network", "loss"])
def test_no_name_leads_out_of_the_allowlist(write, name, part):
    path = write(**{part: {"name": name, "args": {}}})
    if part == "network":
        refused(path)
    else:
        from litlab.prediction.evaluate import supervised

        with pytest.raises(ValueError):
            supervised(checkpoint.load(path))


@pytest.mark.parametrize(
    "name", ["os.system", "litlab.networks.MLP", "litlab.data.sources.prepare", "litlab.data.collate"]
)
def test_a_source_is_a_data_module(name):
    with pytest.raises(trust.NotAllowed):
        trust.build(name, {}, MNISTSample.__mro__[1], trust.DATA)


def test_a_network_cannot_stand_in_for_code(tmp_path):
    """What trusting a package allows: its networks, not what it imports."""
    for allowed in (["torch"], ["os"], ["subprocess"], ["builtins"], ["shutil"]):
        for name in ("torch.load", "torch.hub.load", "os.system", "subprocess.Popen", "builtins.open", "shutil.rmtree"):
            with pytest.raises(trust.NotAllowed):
                trust.look_up(name, nn.Module, trust.NETWORKS, allowed)


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "their_package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "nets.py").write_text(
        "from os import system\nfrom torch import nn\n\n"
        "class Net(nn.Linear):\n    def __init__(self, input_shape, num_classes):\n"
        "        super().__init__(784, num_classes)\n    def forward(self, x):\n"
        "        return super().forward(x.flatten(1))\n\n"
        "def make(width: int) -> nn.Module:\n    return nn.Linear(width, 1)\n\n"
        "def harm(command: str):\n    return system(command)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "their_package.nets"


def test_a_package_of_ones_own_needs_trust(write, package):
    net = nn.Linear(784, 10)
    state_dict = {f"network.{name}": value for name, value in net.state_dict().items()}
    path = write(
        state_dict, network={"name": f"{package}.Net", "args": {"input_shape": [1, 28, 28], "num_classes": 10}}
    )
    assert "if you trust their_package, add trust=[their_package]" in refused(path)
    trained = checkpoint.load(path, trust=["their_package"])
    assert torch.equal(trained.network.weight, net.weight)
    assert trust.look_up(f"{package}.make", nn.Module, (), ["their_package"])
    for name in ("harm", "system"):
        with pytest.raises(trust.NotAllowed):
            trust.look_up(f"{package}.{name}", nn.Module, (), ["their_package"])
    with pytest.raises(trust.NotAllowed, match="harm is a function, and does not say that it makes a Module"):
        trust.look_up(f"{package}.harm", nn.Module, (), ["their_package"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "import sys\nsys.exit()\n",
            ": the module ended the program while it was imported (their_ends/nets.py, line 2)",
        ),
        ("1 / 0\n", " cannot be found here: division by zero (their_ends/nets.py, line 1)"),
    ],
)
def test_a_trusted_package_that_cannot_be_imported_is_told_in_one_line(tmp_path, monkeypatch, content, said):
    (tmp_path / "their_ends").mkdir()
    (tmp_path / "their_ends/nets.py").write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "their_ends", raising=False)
    with pytest.raises(trust.NotAllowed) as caught:
        trust.look_up("their_ends.nets.Net", nn.Module, (), ["their_ends"])
    assert str(caught.value) == f"their_ends.nets.Net{said}"


def test_torchvisions_networks_are_built_without_fetching_anything(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", None)  # calling it would fail
    with torch.device("meta"):
        built = trust.build(
            "torchvision.models.resnet18", {"weights": "DEFAULT", "num_classes": 3}, nn.Module, trust.NETWORKS
        )
    assert built.fc.out_features == 3


@pytest.mark.parametrize(
    "args",
    [
        {"hidden": [{"_target_": "os.system", "command": "true"}]},
        {"activation": {"_target_": "builtins.open", "file": "trap", "mode": "w"}},
        {"hidden": [[{"_partial_": True}]]},
        {"_target_": "os.system"},
        {"_args_": [1]},
        {"activation": "__import__('os').system('touch trap')"},
        {"hidden": torch.ones(3)},
        {"hidden": [2**70]},
        {"hidden": [10**9, 10**9]},
        {"hidden": [-4]},
        {"hidden": [0]},
        {"hidden": [4.5]},
        {"hidden": "4444"},
        {"hidden": None},
        {"hidden": [1] * 30_000},
        {"hidden": [1] * 12_000},
        {"dropout": float("nan")},
        {"dropout": float("inf")},
        {"input_shape": [1, -28, -28]},
        {"input_shape": [1, 10**6, 10**6]},
        {"input_shape": []},
        {"num_classes": 10**8},
        {"num_classes": True},
        {"unknown": 1},
        {1: 2},
        ["hidden"],
    ],
    ids=lambda args: str(args)[:40],
)
def test_arguments_are_plain_sane_and_agree_with_the_weights(write, args, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if isinstance(args, dict):
        args = {"input_shape": [1, 28, 28], "hidden": [4]} | args
    path = write(network={"name": "litlab.networks.MLP", "args": args})
    refused(path)
    assert os.listdir(tmp_path) == ["x.ckpt"]  # noqa: PTH208


def test_the_script_says_it_in_one_line(write, tmp_path):
    path = write(network={"name": "os.system", "args": {"command": "touch trap"}})
    done = finish(start("predict.py", f"ckpt={path}", "evaluate=test", folder=tmp_path), tmp_path)
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert done.err.startswith(f"error: {path}: os.system is not in litlab.networks")
    assert os.listdir(tmp_path) == ["x.ckpt"]  # noqa: PTH208


def test_a_hostile_source_is_refused_when_it_is_asked_for(write, tmp_path, use):
    path = write(source={"name": "subprocess.Popen", "args": {"args": ["touch", "trap"]}})
    with pytest.raises(ConfigError, match=rf"^{path}: subprocess\.Popen is not in litlab\.data"):
        use(f"ckpt={path}", "evaluate=test")
    path = write(loss={"name": "torch.hub.load", "args": {}})
    with pytest.raises(ConfigError, match=rf"^{path}: torch\.hub\.load is not in torch\.nn"):
        use(f"ckpt={path}", "evaluate=test")
    assert os.listdir(tmp_path) == ["x.ckpt"]  # noqa: PTH208


def test_somebody_elses_data_dir_is_read_but_never_written(write, tmp_path, use, monkeypatch):
    """A checkpoint can say where its data are, but not make litlab put files there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # the user's own may hold the data
    there = tmp_path / "there"
    there.mkdir()
    path = write(source={"name": "litlab.data.MNIST", "args": {"data_dir": str(there)}})
    with pytest.raises(ConfigError, match=f"data.data_dir={there} allows to write there"):
        use(f"ckpt={path}", "evaluate=test")
    assert list(there.iterdir()) == []


def test_the_packages_that_a_checkpoint_needs_are_named():
    own = {"model": {"_target_": "mine.nets.Tiny"}, "loss": {"_target_": "yours.Focal"}}
    data = {"data": {"_target_": "litlab.data.MNIST"}}
    assert trust.to_be_trusted(own | data) == ["mine", "yours"]
    usual = {"model": {"_target_": "torchvision.models.resnet18"}, "loss": {"_target_": "torch.nn.NLLLoss"}}
    assert trust.to_be_trusted(usual | data) == []
