"""Very many pictures are checked by the training itself, while it reads them."""

import os

import numpy as np
import pytest
import torch
from pictures import draw_folder, load_folder

from litlab.data import ImageFolder, index_file, picture_check, picture_index
from litlab.data.picture_check import next_readable
from litlab.data.picture_dataset import MOST_IN_A_ROW
from litlab.data.workers import BadPicture

BAD = ("blue/003.jpg", "blue/004.png", "red/002.bmp")


@pytest.fixture(autouse=True)
def many(monkeypatch):
    monkeypatch.setattr(picture_check, "LARGE", 10)


@pytest.fixture
def damaged(root):
    for name in BAD:
        (root / name).write_bytes((root / name).read_bytes()[:200])
    return root


@pytest.fixture
def opened(monkeypatch):
    """The paths of the files that are opened to check them."""
    paths = []
    look_at = picture_index.look_at
    monkeypatch.setattr(picture_index, "look_at", lambda path: paths.append(path) or look_at(path))
    return paths


def below(paths, root):
    return [os.path.relpath(path, root).replace(os.sep, "/") for path in paths]


def read(data):
    """All training pictures, in their order."""
    return data.train_set.__getitems__(list(range(len(data.train_set))))


def found_in_training(data, root):
    return below([data.train_set.paths[int(row)] for row in data.first_reading.unreadable], root)


def test_only_the_pictures_of_validation_are_opened_before_the_training(damaged, opened):
    data = load_folder(damaged, max_bad_fraction=0.5)
    assert len(opened) == 4
    assert set(below(opened, damaged)) >= set(below(data.val_set.paths, damaged))
    assert sum(data.sizes.values()) == 20 - len(set(BAD) & set(below(opened, damaged)))
    assert not set(BAD) & set(below(data.val_set.paths, damaged))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_next_picture_stands_in_the_place_of_one_that_cannot_be_read(damaged, num_workers):
    data = load_folder(damaged, max_bad_fraction=0.5, num_workers=num_workers, shuffle=False, batch_size=16)
    names = below(data.train_set.paths, damaged)
    bad = [name for name in names if name in BAD]
    assert bad
    (batch,) = data.train_dataloader()
    assert found_in_training(data, damaged) == bad
    for row, name in enumerate(names):
        following = next(i % len(names) for i in range(row, row + 16) if names[i % len(names)] not in BAD)
        image, target = data.train_set[following]
        assert torch.equal(batch[0][row], image)
        assert batch[1][row] == target
        if name not in BAD:
            assert following == row


@pytest.mark.filterwarnings("ignore:skipped")
def test_what_the_training_has_read_is_in_the_index(damaged, opened):
    data = load_folder(damaged, max_bad_fraction=0.5)
    read(data)
    assert data.first_reading.has_news()
    assert not data.first_reading.has_news()
    data.check.keep(data.trained, data.first_reading.pixels)
    kept = index_file.load(damaged / index_file.NAME)
    by_training = {kept.listing.files.name(row): size.tolist() for row, size in enumerate(kept.pixels)}
    (damaged / index_file.NAME).unlink()
    checked_before = data.check.look()
    assert checked_before.readable.sum() == len(kept.pixels) == 17
    names = below(data.check.files, damaged)
    assert set(checked_before.reasons) == {names.index(name) for name in BAD}
    assert by_training.keys() == {data.check.files.name(row) for row in np.flatnonzero(checked_before.readable)}
    opened.clear()
    again = load_folder(damaged, max_bad_fraction=0.5)
    assert set(below(opened, damaged)) <= set(BAD)
    read(again)
    assert not again.first_reading.has_news()


def test_several_folders_have_an_index_each(tmp_path):
    for name in ("one", "two"):
        draw_folder(tmp_path / name, 5)
    data = load_folder(tmp_path / "one", tmp_path / "two")
    read(data)
    data.check.keep(data.trained, data.first_reading.pixels)
    counts = [len(index_file.load(tmp_path / name / index_file.NAME).pixels) for name in ("one", "two")]
    assert counts == [10, 10]


@pytest.mark.filterwarnings("ignore:skipped")
def test_the_same_splits_are_drawn_with_an_index_and_without_one(damaged):
    first = load_folder(damaged, max_bad_fraction=0.5)
    first.check.look()
    second = load_folder(damaged, max_bad_fraction=0.5)
    assert (first.train_set.paths, first.val_set.paths) == (second.train_set.paths, second.val_set.paths)


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_cached_pictures_are_those_that_are_read_from_files(damaged, kind):
    images, targets = read(load_folder(damaged, max_bad_fraction=0.5))
    data = load_folder(damaged, max_bad_fraction=0.5, cache=kind)
    with pytest.warns(UserWarning, match=r"^skipped: \d of 20 files cannot be read"):
        data.fill_cache()
    cached = read(data)
    assert torch.equal(cached[0], images)
    assert torch.equal(cached[1], targets)


@pytest.mark.filterwarnings("ignore:skipped")
def test_an_evaluation_of_the_training_pictures_counts_each_once(damaged):
    data = load_folder(damaged, max_bad_fraction=0.5)
    names = below(data.evaluation_set("train").paths, damaged)
    assert names == [name for name in below(data.train_set.paths, damaged) if name not in BAD]


@pytest.mark.filterwarnings("ignore:skipped")
@pytest.mark.parametrize("measured", ["train", "val", "test"])
def test_an_evaluation_opens_the_pictures_of_its_split_alone(damaged, opened, measured):
    before = load_folder(damaged, max_bad_fraction=0.5, test_size=4)
    (damaged / ".litlab-pictures.npz").unlink()
    opened.clear()
    again = ImageFolder(str(damaged), image_size=16, val_size=4, test_size=4, max_bad_fraction=0.75)
    again.known_splits, again.measured = before.drawn_splits, measured
    again.setup()
    drawn = {name for name, split in before.drawn_splits.items() if split == measured}
    assert set(below(opened, damaged)) == drawn
    assert set(below(again.evaluation_set(measured).paths, damaged)) == drawn - set(BAD)


def test_too_many_unreadable_pictures_in_a_row_end_the_training(tmp_path):
    draw_folder(tmp_path, 80)
    data = load_folder(tmp_path, max_bad_fraction=1)
    for path in data.train_set.paths:
        path.unlink()
    said = rf"^{data.train_set.paths[7]} cannot be read, nor can the {MOST_IN_A_ROW - 1} files behind it$"
    with pytest.raises(BadPicture, match=said):
        data.train_set[7]


def test_too_many_unreadable_pictures_of_validation_are_an_error(tmp_path):
    draw_folder(tmp_path, 10)
    for path in tmp_path.glob("red/*"):
        path.write_bytes(b"no picture")
    said = r"^max_bad_fraction=0.01: [1-4] of 4 files \(of 20; the training checks the others\) "
    with pytest.raises(ValueError, match=said):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    ("readable", "expected"),
    [("1111", [0, 1, 2, 3]), ("0100", [1, 1, 1, 1]), ("1001", [0, 3, 3, 3]), ("110", [0, 1, 0])],
)
def test_the_next_readable_picture(readable, expected):
    assert next_readable(torch.tensor([sign == "1" for sign in readable])).tolist() == expected


def test_a_reason_that_all_share_is_said_once(damaged):
    for name in BAD:
        (damaged / name).write_bytes(b"no picture")
    data = load_folder(damaged, max_bad_fraction=0.5)
    with pytest.warns(UserWarning, match="skipped: 3 of 20") as warned:
        data.check.look()
    said = str(warned[-1].message)
    files = ", ".join(str(damaged / name) for name in BAD)
    assert said == f"skipped: 3 of 20 files cannot be read: {files} (not a picture in a format that Pillow reads)"
    assert data.check.unreadable_files == [str(damaged / name) for name in BAD]


def test_no_readable_picture_to_train_on_is_an_error_of_a_cache(tmp_path):
    draw_folder(tmp_path, 10)
    data = load_folder(tmp_path, max_bad_fraction=1, cache="memory")
    for path in data.train_set.paths:
        path.write_bytes(b"no picture")
    index = tmp_path / index_file.NAME
    index.unlink(missing_ok=True)
    with (
        pytest.warns(UserWarning, match="^skipped: 16 of 20"),
        pytest.raises(ValueError, match="no readable pictures to train on$"),
    ):
        data.fill_cache()
