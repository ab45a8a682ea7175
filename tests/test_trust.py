"""Checkpoints that mean harm, or are merely broken: each is one line, and nothing runs, appears or stays."""

import json
import os
import pickle
import shutil
import zipfile

import pytest
import torch
from PIL import Image
from scripts import finish, start
from torch import nn

from litlab import checkpoint
from litlab.checkpoint import trust
from litlab.data import MNISTSample
from litlab.errors import ConfigError
from litlab.networks import MLP


@pytest.fixture(scope="module")
def record():
    data = MNISTSample()
    return {
        "format": checkpoint.FORMAT,
        "network": {"name": "litlab.networks.MLP", "args": {"input_shape": [1, 28, 28], "hidden": [4]}},
        "task": "Classification",
        "loss": {"name": "torch.nn.CrossEntropyLoss", "args": {}},
        "data": data.record(),
        "source": {"name": "litlab.data.MNISTSample", "args": {}},
        "numerics": {"precision": "32-true", "log_every_n_steps": 50},
        "metrics": {"val/acc": 0.5},
        "config": {},
    }


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(0)
    return {f"network.{name}": value for name, value in MLP(hidden=[4]).state_dict().items()}


@pytest.fixture
def write(tmp_path, record, weights):
    """Saves a checkpoint whose record, or whose weights, differ from a good one's."""

    def save(state_dict=None, **changes):
        path = tmp_path / "x.ckpt"
        torch.save({"state_dict": state_dict or weights, "litlab": {**record, **changes}}, path)
        return path

    return save


def refused(path):
    with pytest.raises(ValueError) as caught:
        checkpoint.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert "\x1b" not in message
    assert len(message) < 700
    return message


def test_a_good_one_loads_with_its_weights(write, weights):
    trained = checkpoint.load(write())
    assert isinstance(trained.network, MLP)
    assert not trained.network.training
    for name, value in trained.network.state_dict().items():
        assert torch.equal(value, weights[f"network.{name}"])
    assert trained.data.class_names == tuple("0123456789")
    assert trained.data.background == 0


# Names

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


def test_torchvisions_networks_are_built_without_fetching_anything(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", None)  # calling it would fail
    with torch.device("meta"):
        built = trust.build(
            "torchvision.models.resnet18", {"weights": "DEFAULT", "num_classes": 3}, nn.Module, trust.NETWORKS
        )
    assert built.fc.out_features == 3


# Arguments


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


def test_deeply_nested_arguments(write):
    nested = []
    for _ in range(200):
        nested = [nested]
    refused(write(network={"name": "litlab.networks.MLP", "args": {"hidden": nested}}))
    doubled = [1]
    for _ in range(60):  # 2^60 values by reference
        doubled = [doubled, doubled]
    refused(write(network={"name": "litlab.networks.MLP", "args": {"hidden": doubled}}))


# The record


@pytest.mark.parametrize("key", ["format", "network", "task", "loss", "data", "source", "numerics", "metrics"])
@pytest.mark.parametrize("value", [None, 7, "text", [], {}, torch.ones(1)], ids=lambda value: type(value).__name__)
def test_a_record_with_a_wrong_part(write, key, value):
    if key == "metrics" and value == {}:
        return
    refused(write(**{key: value}))


@pytest.mark.parametrize("key", ["format", "network", "task", "loss", "data", "source", "numerics", "metrics"])
def test_a_record_that_lacks_a_part(tmp_path, record, weights, key):
    path = tmp_path / "x.ckpt"
    torch.save({"state_dict": weights, "litlab": {k: v for k, v in record.items() if k != key}}, path)
    assert key in refused(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("input_shape", [1, 28]),
        ("input_shape", [1, 0, 28]),
        ("input_shape", [-1, -28, 28]),
        ("input_shape", [1, 2**20, 2**20]),
        ("input_shape", [1.0, 28.0, 28.0]),
        ("input_shape", [3, 28, 28]),
        ("num_classes", 0),
        ("num_classes", 11),
        ("class_names", ["a"]),
        ("class_names", [*"012345678", "\x1b[2J"]),
        ("class_names", [*"012345678", "a\u2028b"]),
        ("class_names", [*"012345678", "\udcff"]),
        ("class_names", list(range(10))),
        ("mean", [0.1, 0.2]),
        ("mean", [float("inf")]),
        ("std", [0.0]),
        ("std", ["1"]),
        ("background", 300),
        ("name", "../../etc\n"),
        ("preprocess", [1]),
    ],
)
def test_data_that_cannot_be(write, record, key, value):
    refused(write(data={**record["data"], key: value}))


def test_a_class_in_any_script_is_printed_as_it_is(write, record, weights, use, tmp_path, capsys):
    names = [*"01234567", "कष\u200d\u200cम\u00a0न", "left\u202eright"]
    *_, last = weights
    write({**weights, last: 10 * torch.arange(10.0)}, data={**record["data"], "class_names": names})
    Image.new("L", (28, 28)).save(tmp_path / "a.png")
    use("ckpt=x.ckpt", "input=a.png")
    use("ckpt=x.ckpt", "input=a.png", "quiet=true")
    out = capsys.readouterr().out
    assert names[8] in out
    assert out.count(r"left\u202eright") == 2
    assert "\u202e" not in out
    [answer] = json.loads((tmp_path / "predictions/predictions.json").read_text())
    assert list(answer["probabilities"]) == names


def test_weights_must_be_the_networks(write, weights):
    first = next(iter(weights))
    wrong = {
        "lacks 1 of": {k: v for k, v in weights.items() if k != first},
        "1 weights the network has not": {**weights, "network.more": torch.ones(1)},
        "the network needs [4, 784]": {**weights, first: torch.ones(4, 783)},
        "the network needs torch.float32": {**weights, first: torch.ones(4, 784, dtype=torch.int64)},
        "complex64": {**weights, first: torch.ones(4, 784, dtype=torch.complex64)},
        "is a list, not a tensor": {**weights, first: [1.0]},
        "is a str, not a tensor": {**weights, first: "text"},
        "not a whole checkpoint": {**weights, first: torch.ones(4, 784).to_sparse()},
        "larger than the whole file": {**weights, first: torch.ones(1).expand(10**7, 10**7)},
    }
    for words, state_dict in wrong.items():
        assert words in refused(write(state_dict))


def test_many_views_of_a_few_bytes(write):
    layers = {f"network.layers.{2 * i + 1}.weight": torch.ones(1).expand(60, 60) for i in range(2000)}
    assert "its tensors are larger than the file" in refused(
        write(layers, network={"name": "litlab.networks.MLP", "args": {"hidden": [60] * 2000}})
    )


def test_half_precision_weights_are_weights(write, weights):
    trained = checkpoint.load(write({name: value.bfloat16() for name, value in weights.items()}))
    assert {p.dtype for p in trained.network.parameters()} == {torch.float32}


def test_other_files(tmp_path, weights):
    path = tmp_path / "x.ckpt"
    for content, words in (
        ({"state_dict": weights}, "model.weights="),
        (weights, "model.weights="),
        ({"state_dict": weights, "pytorch-lightning_version": "2.5.0"}, "Lightning's that litlab did not write"),
        ([1, 2], "not a checkpoint"),
        (torch.ones(2), "not a checkpoint"),
        (3, "not a checkpoint"),
    ):
        torch.save(content, path)
        assert words in refused(path)
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        checkpoint.load(tmp_path / "none.ckpt")


# Files


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_does_not_run(tmp_path, record, weights):
    trap, path = tmp_path / "trap", tmp_path / "x.ckpt"
    for content in (
        Payload(trap),
        {"state_dict": weights, "litlab": record, "callbacks": [Payload(trap)]},
        {"state_dict": {**weights, "network.layers.1.weight": Payload(trap)}, "litlab": record},
    ):
        torch.save(content, path)
        assert "mkdir" in refused(path)
        torch.save(content, path, _use_new_zipfile_serialization=False)
        refused(path)
        path.write_bytes(pickle.dumps(content))
        refused(path)
    assert not trap.exists()
    torch.save(Payload(trap), path)
    torch.load(path, weights_only=False)  # the trap does work elsewhere
    assert trap.exists()


def test_a_whole_model_says_how_to_convert_it(tmp_path):
    path = tmp_path / "x.ckpt"
    torch.save(MLP(), path)
    message = refused(path)
    assert "litlab.networks.mlp.MLP" in message
    assert "torch.save(model.state_dict(), 'weights.pt')" in message


def rewritten(source, target, rename=lambda name: name, change=lambda name, data: data, **options):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", **options) as new:
        for entry in old.infolist():
            new.writestr(rename(entry.filename), change(entry.filename, old.read(entry)))


def test_a_zip_is_not_unpacked_anywhere(write, tmp_path):
    good = shutil.copy(write(), tmp_path / "good.ckpt")
    bad = tmp_path / "bad.ckpt"
    before = sorted(os.listdir(tmp_path))  # noqa: PTH208
    for prefix in ("../", "/", "a/../../", "..\\"):
        rewritten(good, bad, rename=lambda name, prefix=prefix: prefix + name)
        assert "leads out of it" in refused(bad)
    rewritten(good, bad, compression=zipfile.ZIP_DEFLATED)
    assert "compressed" in refused(bad)
    rewritten(good, bad, change=lambda name, data: b"" if name.endswith("data.pkl") else data)
    refused(bad)
    rewritten(good, bad, change=lambda name, data: data[: len(data) // 2] if "/data/" in name else data)
    refused(bad)
    rewritten(good, bad, rename=lambda name: "other/" + name)
    refused(bad)
    bad.unlink()
    assert sorted(os.listdir(tmp_path)) == before  # noqa: PTH208


def test_truncated_at_every_kilobyte_and_every_byte_at_the_ends(write):
    path = write()
    whole = path.read_bytes()
    ends = [*range(64), *range(len(whole) - 64, len(whole))]
    for size in sorted({*range(0, len(whole), 1024), *ends}):
        path.write_bytes(whole[:size])
        refused(path)


def test_any_flipped_byte_is_refused_or_harmless(write, tmp_path):
    path = write()
    whole = path.read_bytes()
    generator = torch.Generator().manual_seed(0)
    for position in torch.randint(len(whole), (400,), generator=generator).tolist():
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            checkpoint.load(path)
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017
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
    with pytest.raises(ConfigError, match=r"subprocess\.Popen is not in litlab\.data"):
        use(f"ckpt={path}", "evaluate=test")
    path = write(loss={"name": "torch.hub.load", "args": {}})
    with pytest.raises(ConfigError, match=r"torch\.hub\.load is not in torch\.nn"):
        use(f"ckpt={path}", "evaluate=test")
    assert os.listdir(tmp_path) == ["x.ckpt"]  # noqa: PTH208


def test_somebody_elses_data_dir_is_read_but_never_written(write, tmp_path, use):
    """A checkpoint can say where its data are, but not make litlab put files there."""
    there = tmp_path / "there"
    there.mkdir()
    path = write(source={"name": "litlab.data.MNIST", "args": {"data_dir": str(there)}})
    with pytest.raises(ConfigError, match=f"data.data_dir={there} allows to write there"):
        use(f"ckpt={path}", "evaluate=test")
    assert list(there.iterdir()) == []
