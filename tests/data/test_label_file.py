"""Pictures whose labels are in a CSV file."""

import json

import pytest
import torch
from pictures import draw_labels

from litlab.data import LabelFile

TWELVE = "file,label\n" + "".join(f"{label}/{i}.png,{label}\n" for label in ("red", "blue") for i in range(6))


def load(file, **arguments):
    data = LabelFile(file, **{"image_size": 8, "val_size": 2} | arguments)
    data.setup()
    return data


def test_rows_become_classes_and_pictures_become_batches(tmp_path):
    data = load(draw_labels(tmp_path, TWELVE), test_size=2, stratified=True)
    assert (data.class_names, data.sizes) == (("blue", "red"), {"train": 8, "val": 2, "test": 2})
    assert sorted(data.val_set.targets.tolist()) == [0, 1]
    images, targets = data.train_set.__getitems__(list(range(8)))
    is_red = images[:, 0].float().mean((1, 2)) > images[:, 2].float().mean((1, 2))
    assert torch.equal(is_red.long(), targets)  # each picture has the label of its colour
    assert set(data.drawn_splits) == {line.split(",")[0] for line in TWELVE.splitlines()[1:]}


def test_rows_with_a_split_keep_it_and_the_others_are_drawn(tmp_path):
    lines = TWELVE.splitlines()
    splits = ["split", "train", "train", "val", "test", "", "", "train", "train", "val", "test", "", ""]
    text = "\n".join(f"{line},{split}" for line, split in zip(lines, splits, strict=True))
    data = load(draw_labels(tmp_path, text))
    assert [path.name for path in data.val_set.paths if path.name == "2.png"] == ["2.png"] * 2
    assert [str(path.relative_to(tmp_path)) for path in data.test_set.paths] == ["red/3.png", "blue/3.png"]
    assert data.sizes == {"train": 6, "val": 4, "test": 2}
    assert set(data.drawn_splits) == {"red/4.png", "red/5.png", "blue/4.png", "blue/5.png"}


def test_paths_are_relative_to_the_file_or_to_a_folder(tmp_path, monkeypatch):
    file = draw_labels(tmp_path / "pictures", TWELVE)
    beside = load(file)
    moved = file.rename(tmp_path / "labels.csv")
    monkeypatch.chdir(tmp_path)
    elsewhere = load(moved.name, data_dir="pictures")
    assert [path.resolve() for path in elsewhere.val_set.paths] == list(beside.val_set.paths)
    assert elsewhere.drawn_splits == beside.drawn_splits
    assert elsewhere.title == "labels"
    with pytest.raises(ValueError, match=r"^file labels\.csv, line 2: there is no red/0\.png, and 11 more are not"):
        load("labels.csv")


def test_a_picture_that_is_not_there_is_named_with_its_line(tmp_path):
    file = draw_labels(tmp_path, TWELVE)
    (tmp_path / "red/3.png").unlink()
    with pytest.raises(ValueError, match=r"labels\.csv, line 5: there is no \S*red/3\.png; data_dir=DIR names their"):
        load(file)


def test_paths_with_the_sign_of_another_system_are_told(tmp_path):
    file = draw_labels(tmp_path, TWELVE)
    file.write_text(TWELVE.replace("/", "\\"))
    with pytest.raises(
        ValueError, match=r"red.0\.png, and 11 more are not there; paths are written with / and not with"
    ):
        load(file)


def test_classes_that_differ_in_capital_letters_are_mentioned(tmp_path):
    file = draw_labels(tmp_path, TWELVE.replace("red/0.png,red", "red/0.png,Red"))
    with pytest.warns(UserWarning, match=r"^Red and red are 2 classes of file \S*labels\.csv: they differ in capital"):
        LabelFile(file)


def test_pictures_of_other_splits_may_be_gone_where_one_is_measured(tmp_path):
    file = draw_labels(tmp_path, TWELVE)
    before = load(file)
    for path in before.train_set.paths:
        path.unlink()
    again = LabelFile(file, image_size=8, val_size=2)
    again.known_splits, again.measured, again.trains = before.drawn_splits, "val", False
    again.setup()
    assert again.val_set.paths == before.val_set.paths
    before.val_set.paths[0].unlink()
    gone = LabelFile(file, image_size=8, val_size=2)
    gone.known_splits, gone.measured, gone.trains = before.drawn_splits, "val", False
    with pytest.raises(ValueError, match=rf"there is no {before.val_set.paths[0]}; data_dir=DIR names their folder$"):
        gone.setup()


@pytest.mark.parametrize(
    ("labels", "said"), [("0.5 1.5 -2.5", 1), ("0.5 0.5 1.5 1.5", 0), ("1 2 3", 0), ("0.5 1.5 red", 0)]
)
def test_measured_values_are_said_to_be_taken_for_classes(tmp_path, labels, said, recwarn):
    lines = [f"{number}.png,{label}" for number, label in enumerate(labels.split())]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *lines]))
    LabelFile(tmp_path / "labels.csv")
    assert len([each for each in recwarn if "are numbers such as" in str(each.message)]) == said


def test_a_measured_value_that_is_missing_is_not_said_to_be_of_several_labels(tmp_path):
    (tmp_path / "labels.csv").write_text("file,label\na.png,0.5\nb.png,1.5\nc.png,\n")
    with (
        pytest.warns(UserWarning, match="data=csv has no regression"),
        pytest.raises(ValueError, match=r"line 4: c\.png has no label$"),
    ):
        LabelFile(tmp_path / "labels.csv")


@pytest.mark.parametrize(
    ("lines", "arguments", "message"),
    [
        (
            "file,label\na.png,red\nb.png,\n",
            {},
            r"^file \S*labels\.csv, line 3: b\.png has no label; multilabel=true allows that ",
        ),
        ("file,label\na.png,red\nb.png,red\n", {}, r"^file \S* must have two classes or more; found: red$"),
        (TWELVE, {"val_size": 0}, r"^val_size must be above 0: no row of the file has the split val$"),
        (
            "file,label,split\na.png,red,train\nb.png,blue,val\n",
            {},
            r"^file \S*labels\.csv: no pictures to train on for class 'blue'$",
        ),
        (
            "file,label,split\na.png,red,test\nb.png,blue,test\n",
            {},
            r"^file \S*labels\.csv: no picture is for training: all of them are for val or test$",
        ),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(tmp_path, lines, arguments, message):
    with pytest.raises(ValueError, match=message):
        load(draw_labels(tmp_path, lines), **arguments)


def test_a_file_or_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^file \S*none\.csv: no such file$"):
        LabelFile(tmp_path / "none.csv")
    with pytest.raises(FileNotFoundError, match=r"^data_dir \S*none: no such folder$"):
        LabelFile(draw_labels(tmp_path, TWELVE), data_dir=tmp_path / "none")


@pytest.mark.slow
def test_a_run_keeps_its_splits_and_can_be_measured_where_the_file_has_moved(train_here, use, tmp_path):
    file = draw_labels(tmp_path / "pictures", TWELVE)
    small = ["data=csv", "data.file=pictures/labels.csv", "data.image_size=8", "data.num_workers=0", "model=mlp"]
    done = train_here(*small, "model.hidden=[4]", "trainer=cpu", "trainer.max_epochs=1", "hydra.run.dir=run")
    assert done.status == 0, done.err
    assert "csv: 10/2 images" in done.out
    assert "red/0.png," in (tmp_path / "run/splits.csv").read_text()
    file.write_text(file.read_text() + "red/new.png,red\n")
    (file.parent / "red/new.png").write_bytes((file.parent / "red/0.png").read_bytes())
    (tmp_path / "pictures").rename(tmp_path / "moved")
    with pytest.warns(UserWarning, match=r"^left out, new or unreadable before: 1 picture \(red/new\.png\)"):
        use("ckpt=run", "evaluate=val", "data.file=moved/labels.csv")
    metrics = json.loads((tmp_path / "run/result.json").read_text())["metrics"]
    measured = json.loads((tmp_path / "evaluation/evaluation.json").read_text())["metrics"]
    assert measured == {name: metrics[name] for name in ("val/loss", "val/acc")}
    done = train_here("data=csv", "data.file=pictures/labels.csv")
    assert done.err == "error: data.file pictures/labels.csv: no such file\n"


SEVERAL = "file,label\n" + "".join(f"{i}.png,{('r|g', 'g', '', 'r')[i % 4]}\n" for i in range(20)) + "20.png,b|g\n"


def test_several_labels_in_a_row_make_targets_of_0_and_1(tmp_path):
    data = load(draw_labels(tmp_path, SEVERAL), label_separator="|", stratified=True, val_size=5)
    assert (data.task, data.class_names, data.num_classes) == ("multilabel", ("b", "g", "r"), 3)
    assert data.sizes == {"train": 16, "val": 5}
    images, targets = data.train_set.__getitems__(list(range(16)))
    assert (targets.dtype, targets.shape) == (torch.float32, (16, 3))
    is_light = images.float().mean((2, 3)) > 110
    assert torch.equal(is_light.flip(1).float(), targets)
    assert targets[:, 0].sum() == 1  # the one picture of a rare label is trained on
    assert data.val_set.targets.sum(0)[1:].min() >= 1
    assert (data.val_set.targets.sum(1) == 0).sum() == 1  # a picture in five has no label


def test_multilabel_is_asked_for_where_no_row_shows_it(tmp_path):
    file = draw_labels(tmp_path, TWELVE)
    assert load(file).task == "classification"
    assert load(file, multilabel=True).task == "multilabel"
    other = draw_labels(tmp_path, SEVERAL, "other.csv")
    with pytest.warns(
        UserWarning, match="several labels, and r.g is one; write data.label_separator='.' if it is several$"
    ):
        load(other, multilabel=True)
    assert load(other, multilabel=True).class_names == ("b|g", "g", "r", "r|g")
    with pytest.raises(ValueError, match=r"line 4: 2\.png has no label; multilabel=true allows that there is none$"):
        load(other, label_separator="|", multilabel=False)


def test_a_label_without_a_training_picture_is_named(tmp_path):
    lines = "file,label,split\na.png,r;g,train\nb.png,g,train\nc.png,b,val\n"
    with pytest.raises(ValueError, match="no pictures to train on for class 'b'$"):
        load(draw_labels(tmp_path, lines))


@pytest.mark.parametrize("arguments", [{"label_separator": " "}, {"label_separator": ""}, {"multilabel": "yes"}])
def test_wrong_settings_of_labels_are_named(tmp_path, arguments):
    with pytest.raises(ValueError, match=f"^{next(iter(arguments))} must be "):
        load(draw_labels(tmp_path, TWELVE), **arguments)
