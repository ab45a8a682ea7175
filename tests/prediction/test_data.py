"""The data set on which a network is evaluated, in place of that of its training."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pictures import draw_folder, draw_labels
from scripts import asked

from litlab import checkpoint, data
from litlab.checkpoint import Data, Named
from litlab.errors import ConfigError
from litlab.prediction.data import check_held_out, data_module, prepare_split

SEEN = Data("pictures", (3, 16, 16), 2, ("blue", "red"), (), (0.5,) * 3, (0.5,) * 3, preprocess={"resizer": "torch"})


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Twenty pictures as each of three data sets: the class, and its own arguments in a record."""
    folder = draw_folder(tmp_path / "pictures")
    lines = [f"{path.relative_to(folder)},{path.parent.name}" for path in sorted(folder.glob("*/*"))]
    (folder / "labels.csv").write_text("\n".join(["file,label", *lines]))
    shutil.copy(folder / "labels.csv", folder / "hub.csv")
    monkeypatch.setattr("litlab.data.huggingface.picture_files", lambda *_: folder / "hub.csv")
    hub = {"name": "a/b", "data_dir": "data", "subset": None, "revision": "v1", "image": None, "label": "label"}
    return {
        "image_folder": (data.ImageFolder, {"data_dir": str(folder)}),
        "csv": (
            data.LabelFile,
            {"file": str(folder / "labels.csv"), "data_dir": None, "label_separator": ";", "multilabel": None},
        ),
        "huggingface": (data.HuggingFace, {**hub, "multilabel": None}),
    }


@pytest.mark.parametrize("then", ["image_folder", "csv", "huggingface"])
@pytest.mark.parametrize("now", ["image_folder", "csv", "huggingface"])
@pytest.mark.parametrize("task", ["Classification", "Multilabel"])
def test_settings_of_the_training_that_the_chosen_data_do_not_have_are_left_out(best, sets, then, now, task):
    kind, args = sets[then]
    source = Named(f"{kind.__module__}.{kind.__name__}", {**args, "image_size": 16, "val_size": 0.2, "seed": 3})
    trained = replace(checkpoint.load(best), source=source, data=SEEN, task=task)
    kind, args = sets[now]
    typed = [f"data.{key}={value}" for key, value in args.items() if key in ("data_dir", "file", "name") and value]
    run = asked("evaluate=val", f"data={now}", *typed, "data.num_workers=0", script="predict")
    if (now, task) == ("image_folder", "Multilabel"):
        with pytest.raises(
            ConfigError, match=r"^data=image_folder is classification, and the network was trained for multilabel$"
        ):
            data_module(trained, run)
        return
    chosen, read_only = data_module(trained, run)
    assert (type(chosen), read_only) == (kind, False)
    assert chosen.task == task.lower()
    assert chosen.input_shape == (3, 16, 16)
    chosen.setup()
    assert chosen.sizes == {"train": 16, "val": 4}


@pytest.fixture
def seen(best, sets, tmp_path):
    """The checkpoint of a training on the pictures of `image_folder`, with their split beside it."""
    source = Named("litlab.data.ImageFolder", {**sets["image_folder"][1], "image_size": 16, "val_size": 0.2})
    trained = data.ImageFolder(**source.args)
    trained.setup()
    path = tmp_path / "run/checkpoints/best.ckpt"
    path.parent.mkdir(parents=True)
    trained.drawn_splits.write(tmp_path / "run/splits.csv")
    return replace(checkpoint.load(best), path=path, source=source, data=SEEN)


def seen_in(seen, split):
    """The pictures of a split of the training, by its record."""
    rows = [line.split(",") for line in (seen.path.parents[1] / "splits.csv").read_text().splitlines()[1:]]
    return [Path(seen.source.args["data_dir"]) / name for name, of in rows if of == split]


def test_pictures_that_are_all_for_the_test_are_measured(seen, tmp_path):
    draw_folder(tmp_path / "new/test", 3)
    lines = [f"{path.relative_to(tmp_path)},{path.parent.name},test" for path in sorted(tmp_path.glob("new/test/*/*"))]
    (tmp_path / "new.csv").write_text("\n".join(["file,label,split", *lines]))
    for chosen in ("data=image_folder", f"data.data_dir={tmp_path}/new"), ("data=csv", f"data.file={tmp_path}/new.csv"):
        measured, images = prepare_split(seen, asked("evaluate=test", *chosen, "data.num_workers=0", script="predict"))
        measured.setup("test")  # as the Trainer does
        assert measured.test_set is images
        assert images.targets.tolist() == [0, 0, 0, 1, 1, 1]
        with pytest.raises(ConfigError, match=r"^evaluate=val: \w+ has no such split; there is: test$"):
            prepare_split(seen, asked("evaluate=val", *chosen, "data.num_workers=0", script="predict"))


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        (None, 501, "the training held out 500, and trained on the others"),
        (0, 1, "the training held out 0, and trained on the others"),
        (0, 0.1, "the training held out 0, and trained on the others"),
        (0.1, 0.2, "the training held out 0.1, and trained on the others"),
        (0.1, 100, "the training held out 0.1, so this must be a part of them too"),
        (100, 0.1, "the training held out 100, so this must be a number of images too"),
    ],
)
def test_images_that_were_trained_on_are_not_held_out_later(then, now, said):
    with pytest.raises(ConfigError, match=rf"^data\.val_size={now}: {said}$"):
        check_held_out(data.MNISTSample(val_size=now), then, now)


@pytest.mark.parametrize(("then", "now"), [(None, 500), (500, None), (500, 0), (0.2, 0.1), (0, 0)])
def test_a_split_may_be_smaller_than_that_of_the_training(then, now):
    check_held_out(data.MNISTSample(val_size=now), then, now)


def test_pictures_of_other_splits_need_not_be_readable(seen, tmp_path):
    for path in seen_in(seen, "train"):
        path.write_text("no picture")
    _, images = prepare_split(seen, asked("evaluate=val", script="predict"))
    assert sorted(images.paths) == sorted(seen_in(seen, "val"))
    with pytest.raises(ConfigError, match=r"max_bad_fraction=0\.01: 16 of 16 files cannot be read: "):
        prepare_split(seen, asked("evaluate=train", script="predict"))


def test_an_unreadable_picture_that_is_measured_counts_among_those_alone(seen):
    damaged, *_ = seen_in(seen, "val")
    damaged.write_text("no picture")
    run = asked("evaluate=val", script="predict")
    with pytest.raises(ConfigError, match=rf"max_bad_fraction=0\.01: 1 of 4 .*{damaged.name} .*=0\.25$"):
        prepare_split(seen, run)
    run = asked("evaluate=val", "data.max_bad_fraction=0.25", script="predict")
    with pytest.warns(UserWarning, match="skipped: 1 of 4 files cannot be read"):
        _, images = prepare_split(seen, run)
    assert sorted(images.paths) == sorted({*seen_in(seen, "val")} - {damaged})


def test_a_split_of_its_own_folder_is_measured_without_a_look_at_the_others(seen, tmp_path):
    for split in ("train", "val"):
        draw_folder(tmp_path / "new" / split, 3)
    for path in tmp_path.glob("new/train/*/*"):
        path.write_text("no picture")
    given = ("data=image_folder", f"data.data_dir={tmp_path}/new", "data.num_workers=0")
    _, images = prepare_split(seen, asked("evaluate=val", *given, script="predict"))
    assert sorted(images.paths) == sorted(tmp_path.glob("new/val/*/*"))


def test_a_part_of_the_classes_has_the_numbers_of_the_network(seen, tmp_path):
    seen = replace(seen, data=replace(SEEN, num_classes=3, class_names=("blue", "green", "red")))
    run = asked(
        "evaluate=val",
        "data=image_folder",
        "data.num_workers=0",
        f"data.data_dir={tmp_path}/pictures",
        script="predict",
    )
    _, images = prepare_split(seen, run)
    names = [path.parent.name for path in images.paths]
    assert images.targets.tolist() == [{"blue": 0, "red": 2}[name] for name in names]
    assert len(images) == 4


def test_pictures_of_one_class_alone_are_measured(seen, tmp_path):
    draw_folder(tmp_path / "new/test", 3, classes=("red",))
    given = ("data=image_folder", f"data.data_dir={tmp_path}/new", "data.num_workers=0")
    _, images = prepare_split(seen, asked("evaluate=test", *given, script="predict"))
    assert images.targets.tolist() == [1, 1, 1]


def test_unknown_and_missing_classes_are_told_apart(seen, tmp_path):
    draw_folder(tmp_path / "odd", 2, classes=("blue", "violet"))
    run = asked("evaluate=val", "data=image_folder", f"data.data_dir={tmp_path}/odd", script="predict")
    said = "data=image_folder has classes that the network does not know: violet; it lacks classes that it knows: red"
    with pytest.raises(ConfigError, match=f"^{re.escape(said)}$"):
        data_module(seen, run)


@pytest.mark.parametrize("place", [[], ["data.data_dir={}"], ["data=image_folder", "data.data_dir={}"]])
@pytest.mark.parametrize("typed", ["data.val_size=3", "data.val_size=0.1"])
def test_a_size_of_a_split_that_is_known_is_not_ignored_in_silence(seen, tmp_path, place, typed):
    run = asked("evaluate=val", *(it.format(tmp_path / "pictures") for it in place), typed, script="predict")
    with pytest.raises(ConfigError, match=f"^{typed}: the pictures keep the split of the training; leave it out$"):
        prepare_split(seen, run)


@pytest.mark.parametrize("place", [[], ["data.data_dir={}"]])
def test_pictures_that_went_missing_are_named_wherever_the_folder_is(seen, tmp_path, place, capsys):
    _, images = prepare_split(seen, asked("evaluate=val", script="predict"))
    gone = images.paths[0]
    gone.unlink()
    _, images = prepare_split(
        seen, asked("evaluate=val", *(it.format(tmp_path / "pictures") for it in place), script="predict")
    )
    assert len(images) == 3
    assert f"1 picture of val went missing: {gone.parent.name}/{gone.name}" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("data.file=labels.csv", "the training was on pictures, and this is a setting for data=csv: write data=csv"),
        ("data.nothing=1", "the training was on pictures, and this is a setting for other data"),
    ],
)
def test_a_setting_of_other_data_is_refused(seen, typed, said):
    with pytest.raises(ConfigError, match=f"^{typed.split('=')[0]}: {said}"):
        data_module(seen, asked("evaluate=val", f"+{typed}" if "nothing" in typed else typed, script="predict"))


def test_the_task_is_compared_before_the_classes(best, tmp_path):
    points = replace(SEEN, num_classes=10, class_names=(), target_shape=(5, 2))
    trained = replace(checkpoint.load(best), data=points, task="Regression")
    chosen = ["data=image_folder", f"data.data_dir={draw_folder(tmp_path)}", "data.image_size=16", "data.num_workers=0"]
    with pytest.raises(ConfigError, match="^data=image_folder is classification, and the network was trained for regr"):
        data_module(trained, asked("evaluate=val", *chosen, script="predict"))


def test_labels_that_do_not_suit_one_class_are_named_for_what_they_are(best, tmp_path):
    seen = replace(checkpoint.load(best), data=SEEN)
    several = draw_labels(tmp_path, "file,label\n0.png,\n1.png,red;blue\n2.png,red\n")
    said = r"^data=csv is multilabel \(a row has several labels\), and the network was trained for classification$"
    with pytest.raises(ConfigError, match=said):
        data_module(
            seen, asked("evaluate=val", "data=csv", f"data.file={several}", "data.image_size=16", script="predict")
        )
    none = draw_labels(tmp_path, "file,label\n0.png,blue\n1.png,\n2.png,red\n", "none.csv")
    with pytest.raises(
        ConfigError, match=r"line 3: 1\.png has no label; the network was trained on one label for each$"
    ):
        data_module(
            seen, asked("evaluate=val", "data=csv", f"data.file={none}", "data.image_size=16", script="predict")
        )
