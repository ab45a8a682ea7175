"""Data sets that torchvision reads, from small files in its own layout."""

import gzip
import hashlib
import struct
import sys
import tarfile
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision

from litlab.data import EMNIST, KMNIST, STL10, SVHN, Flowers102, Food101, Imagenette, OxfordPets

HAVE = torchvision.datasets
SIZES = {"train": 20, "test": 6}


def idx(values):
    return struct.pack(f">I{values.ndim}I", 0x800 + values.ndim, *values.shape) + values.tobytes()


def pixels(count, *shape):
    return np.random.default_rng(count).integers(0, 256, (count, *shape), np.uint8)


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def load(make, folder):
    data = make(folder, val_size=4)
    data.prepare_data()
    data.setup()
    assert data.sizes == {"train": 16, "val": 4, "test": 6}
    images, labels = data.test_set.__getitems__(list(range(6)))
    assert images.shape[1:] == data.input_shape
    return data, images, labels


def test_kmnist_is_unpacked_from_its_archives(tmp_path, monkeypatch):
    raw, resources = tmp_path / "KMNIST/raw", []
    raw.mkdir(parents=True)
    images = {"train": pixels(20, 28, 28), "t10k": pixels(6, 28, 28)}
    for name, values in images.items():
        labels = np.arange(len(values), dtype=np.uint8) % 10
        for part, content in ((f"{name}-images-idx3", values), (f"{name}-labels-idx1", labels)):
            file = raw / f"{part}-ubyte.gz"
            file.write_bytes(gzip.compress(idx(content)))
            resources.append((file.name, md5(file)))
    monkeypatch.setattr(HAVE.KMNIST, "resources", resources)
    _, found, labels = load(KMNIST, tmp_path)
    assert torch.equal(found[:, 0], torch.from_numpy(images["t10k"]))
    assert labels.tolist() == list(range(6))


def test_emnist_is_turned_upright(tmp_path, monkeypatch):
    raw = tmp_path / "EMNIST/raw"
    raw.mkdir(parents=True)
    with zipfile.ZipFile(raw / "gzip.zip", "w") as archive:
        for split, count in SIZES.items():
            name, labels = f"gzip/emnist-balanced-{split}", np.arange(count, dtype=np.uint8) + 20
            images = pixels(count, 28, 28)
            archive.writestr(f"{name}-images-idx3-ubyte.gz", gzip.compress(idx(images)))
            archive.writestr(f"{name}-labels-idx1-ubyte.gz", gzip.compress(idx(labels)))
    monkeypatch.setattr(HAVE.EMNIST, "md5", md5(raw / "gzip.zip"))
    data, found, labels = load(EMNIST, tmp_path)
    assert torch.equal(found[:, 0].mT, torch.from_numpy(images))
    assert [data.class_names[label] for label in labels] == list("KLMNOP")
    assert data.class_names == tuple(HAVE.EMNIST.classes_split_dict["balanced"])


def test_stl10_is_read_without_its_images_that_have_no_labels(tmp_path, monkeypatch):
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    images = {split: pixels(count, 3, 96, 96) for split, count in SIZES.items()}
    for split, values in images.items():
        (folder / f"{split}_X.bin").write_bytes(values.tobytes())
        (folder / f"{split}_y.bin").write_bytes((np.arange(len(values), dtype=np.uint8) % 10 + 1).tobytes())
    from litlab.data.sources.by_torchvision import STL10Labelled

    assert [name for name, _ in STL10Labelled.train_list] == ["train_X.bin", "train_y.bin"]
    for split in SIZES:
        files = [[path.name, md5(path)] for path in sorted(folder.glob(f"{split}_*"))]
        monkeypatch.setattr(STL10Labelled, f"{split}_list", files)
    with tarfile.open(tmp_path / "stl10_binary.tar.gz", "w:gz") as archive:
        archive.add(folder, "stl10_binary")
    for path in folder.iterdir():
        path.unlink()
    monkeypatch.setattr(STL10Labelled, "tgz_md5", md5(tmp_path / "stl10_binary.tar.gz"))
    _, found, labels = load(STL10, tmp_path)
    assert torch.equal(found.mT, torch.from_numpy(images["test"]))  # its files have rows and columns swapped
    assert labels.tolist() == list(range(6))
    (folder / "train_X.bin").write_bytes(b"damaged")
    with pytest.raises(FileNotFoundError, match=r"^data_dir \S* holds no STL-10, or a damaged one: put stl10_binary"):
        STL10(tmp_path).setup()


def test_svhn_is_read_by_scipy_and_the_label_10_is_0(tmp_path, monkeypatch):
    split_list = {}
    for split, count in SIZES.items():
        file = tmp_path / f"{split}_32x32.mat"
        file.write_bytes(bytes([count]))
        split_list[split] = ["http://none", file.name, md5(file)]
    monkeypatch.setattr(HAVE.SVHN, "split_list", split_list)

    def loadmat(path):  # what scipy makes of the real files
        count = open(path, "rb").read()[0]  # noqa: PTH123, SIM115
        return {"X": pixels(count, 3, 32, 32).transpose(2, 3, 1, 0), "y": np.arange(count)[:, None] % 10 + 1}

    monkeypatch.setitem(sys.modules, "scipy", SimpleNamespace(io=SimpleNamespace(loadmat=loadmat)))
    monkeypatch.setitem(sys.modules, "scipy.io", SimpleNamespace(loadmat=loadmat))
    data, found, labels = load(SVHN, tmp_path)
    assert labels.tolist() == [1, 2, 3, 4, 5, 6]
    assert sorted(set(data.train_set.targets.tolist())) == list(range(10))
    assert found.dtype == torch.uint8
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ValueError, match=r"^SVHN needs scipy: pip install scipy$"):
        SVHN(tmp_path).prepare_data()


@pytest.mark.parametrize(
    ("make", "put"),
    [
        (KMNIST, r"KMNIST, and codh\.rois\.ac\.jp .*: put the four files \*-ubyte\.gz into its folder KMNIST/raw$"),
        (EMNIST, r"EMNIST, and biometrics\.nist\.gov .*: put gzip\.zip into its folder EMNIST/raw$"),
        (SVHN, r"SVHN, and ufldl\.stanford\.edu .*: put train_32x32\.mat and test_32x32\.mat into it$"),
        (STL10, r"STL-10, and ai\.stanford\.edu .*: put stl10_binary\.tar\.gz into it$"),
        (
            Flowers102,
            r"Flowers102, and www\.robots\.ox\.ac\.uk .*: put imagelabels\.mat, setid\.mat and the folder",
        ),
        (OxfordPets, r"Oxford-IIIT Pet, and www\.robots\.ox\.ac\.uk .*: put the folders images and annotations"),
        (
            Food101,
            r"Food-101, and data\.vision\.ee\.ethz\.ch .*: put the folder food-101 of food-101\.tar\.gz",
        ),
        (Imagenette, r"Imagenette, and s3\.amazonaws\.com .*: put the folder imagenette2-320 of"),
    ],
)
def test_what_cannot_be_downloaded_says_which_file_to_put_where(make, put, tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nothing answers
    with pytest.raises(FileNotFoundError, match=rf"^data_dir \S* holds no {put}"):
        make(tmp_path).prepare_data()
