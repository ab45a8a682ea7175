"""CIFAR-100, read by torchvision."""

import hashlib
import pickle

import pytest
import torch
import torchvision

from litlab.data import CIFAR100


def test_cifar100_is_torchvisions(tmp_path, monkeypatch):
    theirs = torchvision.datasets.CIFAR100
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    entries = {}
    for name, count in (("train", 30), ("test", 12)):
        data = torch.arange(count * 3072).to(torch.uint8).view(count, 3072).numpy()
        content = pickle.dumps({"data": data, "fine_labels": [99 - i for i in range(count)]})
        (folder / name).write_bytes(content)
        entries[name] = [[name, hashlib.md5(content).hexdigest()]]
    meta = pickle.dumps({"fine_label_names": list(CIFAR100.class_names)})
    (folder / "meta").write_bytes(meta)
    monkeypatch.setattr(theirs, "train_list", entries["train"])  # the checksums of these small files
    monkeypatch.setattr(theirs, "test_list", entries["test"])
    monkeypatch.setitem(theirs.meta, "md5", hashlib.md5(meta).hexdigest())
    data = CIFAR100(tmp_path, val_size=5)
    data.prepare_data()
    data.setup()
    assert data.sizes == {"train": 25, "val": 5, "test": 12}
    image, label = data.test_set[3]
    assert (label, data.num_classes) == (96, 100)
    assert torch.equal(image.flatten(), torch.arange(3 * 3072, 4 * 3072).to(torch.uint8))


def test_cifar100_that_cannot_be_downloaded_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nothing answers
    with pytest.raises(
        FileNotFoundError, match=r"^data_dir .* holds no CIFAR-100.*put cifar-100-python\.tar\.gz into it"
    ):
        CIFAR100(tmp_path).prepare_data()
