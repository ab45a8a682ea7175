"""Pictures are opened once: an index keeps what was found, and only new and changed files are opened again."""

import os
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import draw_folder, draw_landmarks, load_folder
from PIL import Image

from litlab.data import Landmarks, file_names, index_file, picture_index
from litlab.data.file_names import FileNames
from litlab.data.listing import list_files


@pytest.fixture
def opened(monkeypatch):
    """The paths of the files that are opened to check them."""
    paths = []
    look_at = picture_index.look_at
    monkeypatch.setattr(picture_index, "look_at", lambda path: paths.append(Path(path).name) or look_at(path))
    return paths


def names(data):
    return [[path.name for path in split.paths] for split in (data.train_set, data.val_set)]


def test_the_second_start_opens_only_what_is_new_or_has_changed(root, opened):
    first = load_folder(root)
    assert len(opened) == 20
    assert names(load_folder(root)) == names(first)
    assert len(opened) == 20
    Image.new("RGB", (50, 50)).save(root / "red/new.png")
    Image.new("RGB", (70, 70)).save(root / "blue/001.png")
    (root / "red/004.png").unlink()
    load_folder(root)
    assert sorted(opened[20:]) == ["001.png", "new.png"]


def test_a_file_that_cannot_be_read_is_opened_again_at_each_start(root, opened):
    (root / "red/bad.png").write_bytes(b"no picture")
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"skipped: 1 of 21 .*bad\.png \(not a picture"):
            assert sum(load_folder(root, max_bad_fraction=0.1).sizes.values()) == 20
    assert opened[21:] == ["bad.png"]


def test_a_picture_that_was_damaged_afterwards_is_found(root):
    load_folder(root)
    (root / "red/000.jpg").write_bytes((root / "red/000.jpg").read_bytes()[:200])
    with pytest.warns(UserWarning, match=r"skipped: 1 of 20 .*000\.jpg \(damaged"):
        load_folder(root, max_bad_fraction=0.1)


@pytest.mark.parametrize("content", [b"", b"PK\3\4 cut off", None])
def test_a_damaged_index_counts_as_none(root, opened, content):
    load_folder(root)
    path = root / index_file.NAME
    if content is None:  # arrays that do not fit each other
        with np.load(path) as file:
            arrays = dict(file)
        np.savez(path, **arrays | {"sizes": arrays["sizes"][:3]})
    else:
        path.write_bytes(content)
    load_folder(root)
    assert len(opened) == 40
    load_folder(root)
    assert len(opened) == 40


def test_where_the_folder_cannot_be_written_the_index_is_in_the_cache(root, opened, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write everywhere
    for _ in range(2):
        load_folder(root)
    assert len(opened) == 20
    assert not (root / index_file.NAME).exists()
    assert len(list((tmp_path / "cache/litlab/pictures").glob("*.npz"))) == 1


def test_an_index_that_cannot_be_written_anywhere_stops_nothing(root, opened, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert load_folder(root).sizes == {"train": 16, "val": 4}


def test_a_process_that_waited_takes_the_index_of_the_other(root, opened, monkeypatch):
    listing = list_files(root, (".jpg", ".png", ".bmp"), {})

    def another_process_was_first(path):
        monkeypatch.undo()
        picture_index.check_pictures(listing, root)
        return original(path)

    original = picture_index._alone
    monkeypatch.setattr(picture_index, "_alone", another_process_was_first)
    before = len(opened)
    assert picture_index.check_pictures(listing, root).readable.all()
    assert len(opened) == before


def test_a_split_that_is_not_listed_stays_in_the_index(tmp_path, opened):
    draw_folder(tmp_path / "train", 3)
    draw_folder(tmp_path / "val", 2)
    load_folder(tmp_path)
    Image.new("RGB", (50, 50)).save(tmp_path / "val/red/000.jpg")
    files = list_files(tmp_path / "val", (".jpg", ".png", ".bmp"), {})
    picture_index.check_pictures(files, tmp_path)
    assert len(opened) == 11
    load_folder(tmp_path)
    assert len(opened) == 11


def test_a_moved_data_set_keeps_its_index(root, opened):
    load_folder(root)
    moved = root.rename(root.parent / "moved")
    load_folder(moved)
    assert len(opened) == 20


def test_landmarks_take_the_sizes_of_the_pictures_from_the_index(tmp_path, opened):
    file = draw_landmarks(tmp_path / "faces", count=10)
    first, second = Landmarks(file, image_size=32), Landmarks(file, image_size=32)
    for data in (first, second):
        data.setup()
    assert len(opened) == 10
    assert first.train_set.targets.equal(second.train_set.targets)


def test_names_keep_every_character_and_take_few_bytes(tmp_path):
    paths = [tmp_path / name for name in ("a b.png", "ä\udcff.jpg", "sub/漢.png", "x")]
    files = FileNames.of(paths)
    assert list(files) == paths
    assert list(files.take(files.ends.new_tensor([2, 0]))) == [paths[2], paths[0]]
    many = FileNames.of(f"/data/train/n{i // 1000:08}/n{i // 1000:08}_{i}.JPEG" for i in range(10_000))
    size = sum(tensor.numel() * tensor.element_size() for tensor in (many.folder_of, many.names, many.ends))
    assert size / len(many) < 40


def test_names_in_other_folders_are_made_in_parts(monkeypatch):
    monkeypatch.setattr(file_names, "AT_ONCE", 2)
    files = FileNames.of(["a/1.png", "b/2.png", "a/33.png", "b/4.png", "a/5.png"])
    assert files.renamed(["x/", ""]) == ["x/1.png", "2.png", "x/33.png", "4.png", "x/5.png"]
    assert files.take(torch.tensor([3, 0, 2])).renamed(["x/", ""]) == ["4.png", "x/1.png", "x/33.png"]


def test_names_of_some_files_do_not_copy_those_of_all():
    files = FileNames.of(f"{i % 100}/{'x' * 200}{i}" for i in range(10_000))
    rows = dict(index_file.by_folder(files))["7"]
    tracemalloc.start()
    assert index_file.names_of(files, rows) == [b"x" * 200 + str(i).encode() for i in range(7, 10_000, 100)]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 0.1 * len(files.names)


def test_files_are_in_the_order_of_their_paths(tmp_path):
    for name in ("b/c.png", "b-a.png", "a.png", "b/a/z.png", "b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(__file__, tmp_path / name)
    found = list(list_files(tmp_path, (".png",), {}).files)
    assert found == sorted(tmp_path.rglob("*.png"))
