"""Data sets of the Hugging Face Hub: here folders in its format, as there is no network."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from litlab.data import HuggingFace, MNISTSample, sources

datasets = pytest.importorskip("datasets", reason='pip install -e ".[huggingface]"')
SIZES = {"train": 60, "validation": 20, "test": 20}


@pytest.fixture(scope="module")
def digits():
    """Real digits: uint8 [N, 28, 28] and their labels, by the name of the split."""
    arrays = MNISTSample().load_arrays()
    starts = {"train": 0, "validation": 60, "test": 80}
    return {
        split: (arrays.train_images[start:][: SIZES[split], 0].numpy(), arrays.train_labels[start:][: SIZES[split]])
        for split, start in starts.items()
    }


def dataset_of(images, labels, label="label", several=False):
    names = [str(digit) for digit in range(10)]
    kind = datasets.ClassLabel(names=names)
    features = datasets.Features({"image": datasets.Image(), label: datasets.List(kind) if several else kind})
    values = [[int(one)] if several else int(one) for one in labels]
    return datasets.Dataset.from_dict({"image": [Image.fromarray(one) for one in images], label: values}, features)


@pytest.fixture(scope="module")
def saved(digits, tmp_path_factory):
    """A folder that `save_to_disk` wrote, with three splits, and one that is left out."""
    folder = tmp_path_factory.mktemp("hub") / "digits"
    parts = {split: dataset_of(*pair) for split, pair in digits.items()}
    datasets.DatasetDict(parts | {"unsupervised": parts["test"]}).save_to_disk(folder)
    return folder


def load(name, tmp_path, **arguments):
    data = HuggingFace(str(name), data_dir=tmp_path / "data", **{"image_size": 28, "grayscale": True} | arguments)
    data.setup()
    return data


def test_pictures_labels_and_splits_are_those_of_the_data_set(saved, digits, tmp_path):
    data = load(saved, tmp_path)
    assert data.class_names == tuple("0123456789")
    assert (data.title, data.sizes) == ("digits", {"train": 60, "val": 20, "test": 20})
    for split, part in (("train", data.train_set), ("validation", data.val_set), ("test", data.test_set)):
        images, labels = part.__getitems__(list(range(SIZES[split])))
        assert np.array_equal(images[:, 0].numpy(), digits[split][0])
        assert torch.equal(labels, digits[split][1].long())


def test_pictures_are_written_once_as_they_were_stored(saved, tmp_path, monkeypatch):
    before = load(saved, tmp_path)
    stored = datasets.load_from_disk(saved)["train"].cast_column("image", datasets.Image(decode=False))
    assert before.train_set.paths[7].read_bytes() == stored[7]["image"]["bytes"]
    monkeypatch.setattr(sources.huggingface, "_write", None)  # a second call would fail
    assert load(saved, tmp_path).file == before.file
    assert [path.name for path in (tmp_path / "data/huggingface").iterdir() if path.is_dir()] == [before.roots[0].name]


def test_a_changed_folder_is_read_anew(saved, digits, tmp_path):
    before = load(saved, tmp_path)
    images, labels = digits["train"]
    again = tmp_path / "digits"
    datasets.DatasetDict(train=dataset_of(images[:55], labels[:55])).save_to_disk(again)
    after = load(again, tmp_path, val_size=10)
    assert (after.roots[0].name != before.roots[0].name, after.sizes) == (True, {"train": 45, "val": 10})


def test_a_name_of_the_hub_comes_from_the_cache_and_needs_no_package_afterwards(saved, tmp_path, monkeypatch):
    asked = []

    def from_cache(name, subset, revision):
        asked.append((name, subset, revision))
        return datasets.load_from_disk(saved)

    monkeypatch.setattr(datasets, "load_dataset", from_cache)
    first = load("somebody/digits", tmp_path)
    assert (asked, first.roots[0].name) == ([("somebody/digits", None, None)], "somebody--digits")
    monkeypatch.setitem(sys.modules, "datasets", None)  # as if it were not installed
    assert load("somebody/digits", tmp_path).sizes == first.sizes
    with pytest.raises(ValueError, match=r'^data=huggingface needs the package datasets: pip install -e "\.\[hugg'):
        load("somebody/digits", tmp_path, revision="v2")


def test_pictures_without_a_label_are_left_out(digits, tmp_path):
    images, labels = digits["train"]
    hidden = dataset_of(*digits["test"]).map(lambda row: {"label": -1})
    datasets.DatasetDict(train=dataset_of(images, labels), test=hidden).save_to_disk(tmp_path / "hidden")
    assert load(tmp_path / "hidden", tmp_path, val_size=10).sizes == {"train": 50, "val": 10}


def test_lists_of_classes_are_several_labels(digits, tmp_path):
    images, labels = digits["train"]
    several = dataset_of(images, labels, several=True)
    rows = several.to_dict()
    rows["label"] = [sorted({*row, 3}) for row in rows["label"]]
    datasets.Dataset.from_dict(rows, several.features).save_to_disk(tmp_path / "several")
    data = load(tmp_path / "several", tmp_path, val_size=10, stratified=False)
    assert data.task == "multilabel"
    assert (data.train_set.targets[:, 3] == 1).all()
    assert data.train_set.targets.sum(1).max() == 2


def test_what_cannot_be_loaded_is_one_line(saved, digits, tmp_path):
    with pytest.raises(ValueError, match=r"^label=digit: no column of \S*digits that has class names; there is: label"):
        load(saved, tmp_path, label="digit")
    with pytest.raises(ValueError, match=r"^image=label: no column of \S*digits that holds pictures; there is: image"):
        load(saved, tmp_path, image="label")
    plain = datasets.Dataset.from_dict({"text": ["a"], "label": [1]})
    plain.save_to_disk(tmp_path / "text")
    with pytest.raises(ValueError, match="^image must name a column of .* holds pictures: none among text, label"):
        load(tmp_path / "text", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"^name=\S*empty: could not be loaded: ") as caught:
        load(tmp_path / "empty", tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_a_killed_writer_leaves_nothing_that_counts(saved, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sources.huggingface, "_pictures", killed)
        with pytest.raises(KeyboardInterrupt):
            load(saved, tmp_path)
    assert load(saved, tmp_path).sizes["train"] == 60


def test_a_run_trains_and_is_evaluated(saved, script_here):
    settings = ["data=huggingface", f"data.name={saved}", "data.image_size=28", "data.grayscale=true", "model=mlp"]
    trained = script_here("train.py", *settings, "trainer=cpu", "trainer.max_epochs=1", "hydra.run.dir=run")
    assert trained.status == 0, trained.err
    assert "60/20/20 images, 10 classes" in trained.out
    evaluated = script_here("predict.py", "ckpt=run", "evaluate=test")
    assert evaluated.status == 0, evaluated.err
    assert "test/acc" in evaluated.out
