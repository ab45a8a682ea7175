"""Photographs of torchvision's data sets, from small files in the layout of the real ones."""

import json
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torchvision
from PIL import Image

from litlab.data import KMNIST, Flowers102, Food101, Imagenette, OxfordPets
from litlab.data.class_lists import FOODS, PETS


def draw(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 30, 3), number % 256, np.uint8)).save(path)


def pets(folder):
    """Four training and two test pictures of each breed."""
    place = folder / "oxford-iiit-pet"
    (place / "annotations").mkdir(parents=True)
    for split, count in (("trainval", 4), ("test", 2)):
        lines = []
        for label, breed in enumerate(PETS, start=1):
            for number in range(count):
                name = f"{breed.replace(' ', '_')}_{split}{number}"
                draw(place / f"images/{name}.jpg", label)
                lines.append(f"{name} {label} 1 1\n")
        (place / f"annotations/{split}.txt").write_text("".join(lines))
    return {"train": 111, "val": 37, "test": 74}


def foods(folder):
    place = folder / "food-101"
    for split, count in (("train", 3), ("test", 1)):
        names = {food: [f"{food}/{split}{number}" for number in range(count)] for food in reversed(FOODS)}
        for label, food in enumerate(FOODS):
            for name in names[food]:
                draw(place / f"images/{name}.jpg", label)
        (place / "meta").mkdir(exist_ok=True)
        (place / f"meta/{split}.json").write_text(json.dumps(names))
    return {"train": 202, "val": 101, "test": 101}


def imagenette(folder):
    wnids = ("n01440764", "n02102040", "n02979186", "n03000684", "n03028079")
    wnids += ("n03394916", "n03417042", "n03425413", "n03445777", "n03888257")
    for split, count in (("train", 3), ("val", 2)):
        for label, wnid in enumerate(wnids):
            for number in range(count):
                draw(folder / f"imagenette2-320/{split}/{wnid}/{wnid}_{number}.JPEG", label)
    return {"train": 30, "val": 20}


@pytest.mark.parametrize(("make", "lay_out"), [(OxfordPets, pets), (Food101, foods), (Imagenette, imagenette)])
def test_the_files_and_splits_are_those_of_torchvision(make, lay_out, tmp_path):
    sizes = lay_out(tmp_path)
    data = make(tmp_path, val_size=sizes["val"], stratified=True, image_size=16, num_workers=0)
    data.prepare_data()
    data.setup()
    assert data.sizes == sizes
    for split in sizes:
        images, labels = getattr(data, f"{split}_set").__getitems__(list(range(sizes[split])))
        assert images.shape[1:] == (3, 16, 16)
        shift = 1 if make is OxfordPets else 0  # the breeds have numbers from 1
        assert (images.float().mean((1, 2, 3)) - labels - shift).abs().max() < 2  # the brightness is the label
        assert sorted(set(labels.tolist())) == list(range(data.num_classes))


def test_flowers_have_their_three_splits(tmp_path, monkeypatch):
    place = tmp_path / "flowers-102"
    for number in range(1, 307):
        draw(place / f"jpg/image_{number:05d}.jpg", (number - 1) % 102)
    for name in ("imagelabels", "setid"):
        (place / f"{name}.mat").touch()
    monkeypatch.setattr(torchvision.datasets.flowers102, "check_integrity", lambda file, md5: True)

    def loadmat(path, squeeze_me):  # what scipy makes of the real files
        if path.name == "imagelabels.mat":
            return {"labels": np.arange(306) % 102 + 1}
        return {"trnid": np.arange(1, 103), "valid": np.arange(103, 205), "tstid": np.arange(205, 307)}

    monkeypatch.setitem(sys.modules, "scipy", SimpleNamespace(io=SimpleNamespace(loadmat=loadmat)))
    monkeypatch.setitem(sys.modules, "scipy.io", SimpleNamespace(loadmat=loadmat))
    data = Flowers102(tmp_path, image_size=16, num_workers=0)
    data.prepare_data()
    data.setup()
    assert data.sizes == {"train": 102, "val": 102, "test": 102}
    images, labels = data.test_set.__getitems__(list(range(102)))
    assert (images.float().mean((1, 2, 3)) - labels).abs().max() < 2
    assert data.class_names[labels[0]] == "pink primrose"
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ValueError, match="^Flowers102 needs scipy: pip install scipy$"):
        Flowers102(tmp_path).prepare_data()


def test_a_picture_that_is_missing_is_named(tmp_path):
    pets(tmp_path)
    (tmp_path / "oxford-iiit-pet/images/Beagle_trainval0.jpg").unlink()
    with pytest.raises(ValueError, match=r"^data_dir \S*: 1 pictures are missing, such as \S*Beagle_trainval0.jpg"):
        OxfordPets(tmp_path).setup()


def test_a_set_without_validation_needs_one_held_out(tmp_path):
    with pytest.raises(ValueError, match="^val_size must be above 0: Oxford-IIIT Pet has no validation split"):
        OxfordPets(tmp_path, val_size=0)


@pytest.mark.parametrize("make", [OxfordPets, KMNIST])
def test_a_folder_that_may_only_be_read_gets_no_lock_file(make, tmp_path, monkeypatch):
    """As a folder that a group shares: who may write is asked before anything is written."""
    pets(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    make(tmp_path).prepare_data()
    assert [path.name for path in tmp_path.iterdir()] == ["oxford-iiit-pet"]
    if make is KMNIST:
        with pytest.raises(FileNotFoundError, match=r"holds no KMNIST, or a damaged one: put the four files"):
            KMNIST(tmp_path).setup()
