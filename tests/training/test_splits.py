"""A folder of pictures that changes after a run has begun."""

import csv
import json
import re

import pytest
from pictures import draw_folder

from litlab.data import DrawnSplits, ImageFolder

SMALL = [
    *("data=image_folder", "data.image_size=16", "data.num_workers=0", "data.batch_size=4", "model=mlp"),
    *("model.hidden=[8]", "trainer=cpu", "trainer.max_epochs=2", "callbacks.report.enabled=false", "logger=csv"),
    *("hydra.run.dir=run", "callbacks.model_summary.enabled=false", "data.test_size=0.2"),
]


@pytest.fixture
def trained(train_here, tmp_path):
    """A run on ten pictures of each of two classes, interrupted after its first epoch."""
    draw_folder(tmp_path / "pictures", 10)
    done = train_here(*SMALL, "data.data_dir=pictures", "trainer.max_epochs=1")
    assert done.status == 0, done.err
    return tmp_path


def splits(folder) -> dict[str, str]:
    with (folder / "run/splits.csv").open() as file:
        return {row["file"]: row["split"] for row in csv.DictReader(file)}


def add_pictures(folder):
    for source in sorted((folder / "pictures").glob("*/*")):
        (source.parent / f"0_{source.name}").write_bytes(source.read_bytes())


def evaluated(tmp_path):
    return json.loads((tmp_path / "out/evaluation.json").read_text())


def test_a_run_records_which_picture_was_in_which_split(trained):
    found = splits(trained)
    assert len(found) == 20
    assert {split: list(found.values()).count(split) for split in ("train", "val", "test")} == {
        "train": 12, "val": 4, "test": 4
    }  # fmt: skip
    data = ImageFolder(trained / "pictures", image_size=16, num_workers=0, test_size=0.2, stratified=True, seed=42)
    data.setup()
    assert found == data.drawn_splits
    assert {f"{path.parent.name}/{path.name}" for path in data.val_set.paths} == {
        name for name, split in found.items() if split == "val"
    }


@pytest.mark.slow
def test_new_pictures_change_neither_the_training_nor_the_measurement(trained, train_here, use):
    before = splits(trained)
    use("ckpt=run", "evaluate=val", "output=out")
    then = evaluated(trained)
    add_pictures(trained)
    with pytest.warns(UserWarning, match=r"^left out, new or unreadable before: 20 pictures \("):
        done = train_here("resume=run", "trainer.max_epochs=2")
    assert done.status == 0, done.err
    assert "image_folder: 12/4/4 images" in done.out
    assert splits(trained) == before
    with pytest.warns(UserWarning, match="new or unreadable before"):
        use("ckpt=run/checkpoints/best.ckpt", "evaluate=val", "output=again")
    again = json.loads((trained / "again/evaluation.json").read_text())
    assert again["images"] == then["images"] == 4


@pytest.mark.slow
def test_without_the_record_changed_pictures_are_refused(trained, train_here, use, capfd):
    (trained / "run/splits.csv").rename(trained / "splits.csv")
    use("ckpt=run", "evaluate=val", "output=out")  # nothing has changed, so the same splits are drawn
    add_pictures(trained)
    said = r"^evaluate=val: the pictures have changed since the training, and splits.csv is not in the run folder"
    with pytest.raises(ValueError, match=said):
        use("ckpt=run", "evaluate=val", "output=again")
    assert not (trained / "again").exists()
    use("ckpt=run", "evaluate=val", "data.data_dir=pictures", "output=chosen")  # asked for by the user
    done = train_here("resume=run", "trainer.max_epochs=2")
    assert done.status == 2
    assert re.search(r"the pictures have changed since the run began \(12 / 4 / 4 then, 24 / 8 / 8 now\)", done.err)


def test_pictures_that_are_gone_are_named(trained, train_here, use, capfd):
    names = {split: name for name, split in splits(trained).items()}
    (trained / "pictures" / names["val"]).unlink()
    use("ckpt=run", "evaluate=val", "output=out")
    assert f"since the training, 1 picture of val went missing: {names['val']}" in capfd.readouterr().err
    assert evaluated(trained)["images"] == 3
    done = train_here("resume=run", "trainer.max_epochs=2")
    assert done.status == 2
    assert f"1 of the 20 pictures of the run are gone ({names['val']}): put them back" in done.err


def test_a_moved_folder_keeps_its_splits(trained, use):
    add_pictures(trained)
    (trained / "pictures").rename(trained / "moved")
    with pytest.warns(UserWarning, match="new or unreadable before"):
        use("ckpt=run", "evaluate=val", "data.data_dir=moved", "output=out")
    assert evaluated(trained)["images"] == 4


def test_a_resume_whose_pictures_have_moved_says_how_to_name_them(trained, train_here):
    (trained / "pictures").rename(trained / "moved")
    done = train_here("resume=run", "trainer.max_epochs=2")
    assert (done.status, done.err.count("\n")) == (2, 1), done.err
    assert done.err.endswith(": no such folder; if it has moved, write data.data_dir=PATH\n")
    done = train_here("resume=run", "trainer.max_epochs=2", "data.data_dir=moved", "data.max_bad_fraction=0.5")
    assert done.status == 0, done.err


def test_folders_of_splits_have_no_record(train_here, tmp_path):
    for split in ("train", "val", "test"):
        draw_folder(tmp_path / "pictures" / split, 4)
    done = train_here(*SMALL, "data.data_dir=pictures", "trainer.max_epochs=1")
    assert done.status == 0, done.err
    assert not (tmp_path / "run/splits.csv").exists()


def test_names_of_any_kind_are_read_as_they_were_written(tmp_path):
    drawn = DrawnSplits({'a, "b".png': "train", "日本/\udcff.png": "val", "0/c\u2028d.png": "test", "e\nf": "val"})
    drawn.write(tmp_path / "splits.csv")
    assert DrawnSplits.read(tmp_path / "splits.csv") == drawn
    (tmp_path / "splits.csv").write_text("file,split\na.png,training\n")
    with pytest.raises(ValueError, match=r"splits.csv: must have the columns file and split"):
        DrawnSplits.read(tmp_path / "splits.csv")
    assert DrawnSplits.read(tmp_path / "none.csv") is None


def test_a_damaged_record_is_one_line(trained, train_here):
    (trained / "run/splits.csv").write_text("file,split\na.png,training\n")
    done = train_here("resume=run", "trainer.max_epochs=2")
    assert done.status == 2
    assert "splits.csv: must have the columns file and split" in done.err
