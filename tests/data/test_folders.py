"""Folders of classes, with splits and without."""

import shutil
import warnings

import pytest
import torch
from pictures import draw_folder, load_folder
from scripts import asked

from litlab.data import ImageFolder
from litlab.training import assemble


def all_paths(data):
    return [path for split in (data.train_set, data.val_set, data.test_set) if split for path in split.paths]


def test_folders_become_classes_and_files_become_batches(root):
    data = load_folder(root, batch_size=8, num_workers=2)
    assert data.class_names == ("blue", "red")
    assert data.sizes == {"train": 16, "val": 4}
    batches = list(data.train_dataloader())
    images, targets = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    assert (images.shape, images.dtype, targets.dtype) == ((16, 3, 16, 16), torch.uint8, torch.int64)
    is_red = images[:, 0].float().mean((1, 2)) > images[:, 2].float().mean((1, 2))
    assert torch.equal(is_red.long(), targets)  # each picture has the label of its colour
    normal, _ = data.preprocess(*batches[0], training=False)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (data.mean, data.std))
    torch.testing.assert_close(normal, (batches[0][0] / 255 - mean) / std)
    assert data.test_dataloader() == []


def test_pictures_are_found_behind_links_and_not_where_they_are_hidden(root, tmp_path):
    hidden = root / "blue/.ipynb_checkpoints/deeper"
    hidden.mkdir(parents=True)
    (root / "blue/000.jpg").rename(hidden / "000-checkpoint.jpg")
    other = draw_folder(tmp_path / "other", 3, classes=("red",))
    (other / "red/again").symlink_to(root / "red")  # a loop
    (root / "red/more").symlink_to(other / "red")
    (root / "blue/away.png").symlink_to("nowhere.png")
    with pytest.warns(UserWarning, match=r"skipped: 1 of 23 .*away\.png \(a broken link\)"):
        data = load_folder(root, max_bad_fraction=0.1)
    paths = all_paths(data)
    assert len({path.resolve() for path in paths}) == len(paths) == 9 + 10 + 3
    assert not any(".ipynb_checkpoints" in path.parts for path in paths)


def test_the_split_is_by_the_seed_and_loses_nothing(root):
    one, same, other = (load_folder(root, seed=seed, test_size=0.2) for seed in (1, 1, 2))
    assert one.sizes == {"train": 12, "val": 4, "test": 4}
    assert len(set(all_paths(one))) == 20
    assert one.val_set.paths == same.val_set.paths != other.val_set.paths


def test_split_folders_are_taken_as_they_are(tmp_path):
    for split, count in (("train", 6), ("val", 3), ("test", 2)):
        draw_folder(tmp_path / split, count)
    data = load_folder(tmp_path)
    assert data.sizes == {"train": 12, "val": 6, "test": 4}
    assert all(path.is_relative_to(tmp_path / "val") for path in data.val_set.paths)


def test_a_val_folder_is_a_validation_whatever_val_size_is(tmp_path):
    for split in ("train", "val"):
        draw_folder(tmp_path / split, 3)
    arguments = [f"data.data_dir={tmp_path}", "data.image_size=8", "data.num_workers=0"]
    run = asked("data=image_folder", "data.val_size=0", *arguments, "model=mlp", "trainer=cpu")
    _, data, _ = assemble(run)  # it checks that the objective, val/acc, will be logged
    data.setup()
    assert data.sizes == {"train": 6, "val": 6}


@pytest.mark.parametrize(
    ("other", "test_size", "sizes", "sizes_without"),
    [
        ("test", 2, {"train": 8, "val": 4, "test": 4}, {"train": 8, "val": 4, "test": 4}),
        ("val", 3, {"train": 9, "val": 4, "test": 3}, {"train": 12, "val": 4}),
    ],
)
def test_a_train_folder_gives_to_the_split_that_is_not_there(tmp_path, other, test_size, sizes, sizes_without):
    draw_folder(tmp_path / "train", 6)
    draw_folder(tmp_path / other, 2)
    data = load_folder(tmp_path, test_size=test_size)
    assert data.sizes == sizes
    assert all(path.is_relative_to(tmp_path / other) for path in getattr(data, f"{other}_set").paths)
    assert len(set(all_paths(data))) == 16
    assert load_folder(tmp_path).sizes == sizes_without


def test_a_limit_takes_of_every_class(root):
    data = load_folder(root, train_limit=8)
    assert data.train_set.targets.bincount(minlength=2).min() >= 2
    assert load_folder(root, train_limit=8).train_set.paths == data.train_set.paths


def test_several_roots_are_one_data_set(root, tmp_path):
    second = draw_folder(tmp_path / "second", 3, classes=("red", "green"))
    data = load_folder(root, second)
    assert data.class_names == ("blue", "green", "red")
    assert sum(data.sizes.values()) == 26
    counts = torch.cat((data.train_set.targets, data.val_set.targets)).bincount().tolist()
    assert counts == [10, 3, 13]


def test_folders_without_a_data_set_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^data_dir .*none: no such folder"):
        ImageFolder(tmp_path / "none")
    with pytest.raises(ValueError, match=r"^data_dir .* must have a folder for each of two classes.*found: none"):
        ImageFolder(tmp_path)
    for name in "ab":
        (tmp_path / name).mkdir()
    with pytest.raises(
        ValueError, match=r"^data_dir .* holds no pictures: no file in its folders ends in \.jpg, \.jpeg, \.png, "
    ):
        load_folder(tmp_path)


def test_a_class_without_pictures_to_train_on_is_named(root):
    (root / "__MACOSX/blue").mkdir(parents=True)
    (root / "__MACOSX/blue/._000.jpg").write_bytes(b"of a Mac")
    (root / "red/notes.txt").touch()
    (root / "red/LICENSE").touch()
    with pytest.warns(UserWarning, match=r"^left out, not the ending of a picture file: 2 \(none 1, \.txt 1\)$"):
        assert load_folder(root).class_names == ("blue", "red")
    (root / "dog").mkdir()
    (root / "dog/IMG_1.HEIC").write_bytes(b"of a phone")
    with (
        pytest.warns(UserWarning, match=r"^left out, .*: 3 \(.*\.heic 1"),
        pytest.raises(ValueError, match=r"^data_dir .*root: no pictures to train on for class 'dog'$"),
    ):
        load_folder(root)


@pytest.mark.parametrize("name", ["@eaDir", "$RECYCLE.BIN", "lost+found", "System Volume Information", "#recycle"])
def test_folders_of_the_system_are_neither_classes_nor_pictures(root, name):
    """A network storage of Synology has a small copy of each picture in `@eaDir/NAME/`."""
    before = load_folder(root)
    for place in (root, root / "red"):
        copies = place / name / "000.jpg"
        copies.mkdir(parents=True)
        shutil.copy(root / "red/000.jpg", copies / "SYNOPHOTO_THUMB_M.jpg")
    after = load_folder(root)
    assert after.class_names == before.class_names == ("blue", "red")
    assert after.sizes == before.sizes


def test_a_class_with_validation_pictures_only_is_named(tmp_path):
    draw_folder(tmp_path / "train", 2)
    draw_folder(tmp_path / "val", 2, classes=("blue", "red", "emu"))
    with pytest.raises(ValueError, match=r"^data_dir .*: no pictures to train on for class 'emu'$"):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    ("names", "odd"),
    [
        (["Train", "Test"], "Test, Train"),
        (["train", "valid", "test"], "valid"),
        (["training", "testing"], "testing, training"),
        (["train", "val", "test_set"], "test_set"),
    ],
)
def test_folders_with_names_like_splits_are_no_classes(tmp_path, names, odd):
    for name in names:
        draw_folder(tmp_path / name, 1)
    message = rf"^data_dir .*: folders of splits must be named train, val and test, not {odd}$"
    with pytest.raises(ValueError, match=message):
        ImageFolder(tmp_path)


def test_a_class_may_be_named_like_a_split(tmp_path):
    assert load_folder(draw_folder(tmp_path, 4, classes=("valid", "invalid"))).class_names == ("invalid", "valid")


def test_balanced_draws_every_class_equally_often_the_same_on_all_ranks(tmp_path):
    draw_folder(tmp_path, 40, classes=("many",))
    draw_folder(tmp_path, 8, classes=("few",))
    data = load_folder(tmp_path, balanced=True, batch_size=10, val_size=4)
    few = data.class_names.index("few")
    sampler = data.train_dataloader().batch_sampler
    drawn = [index for epoch in range(20) for index in _epoch(sampler, epoch)]
    share = (data.train_set.targets[drawn] == few).float().mean()
    assert (data.train_set.targets == few).float().mean() < 0.2
    assert share == pytest.approx(0.5, abs=0.05)
    assert _epoch(sampler, 3) == _epoch(
        load_folder(tmp_path, balanced=True, batch_size=10).train_dataloader().batch_sampler, 3
    )
    assert _epoch(sampler, 3) != _epoch(sampler, 4)


def _epoch(sampler, epoch):
    sampler.set_epoch(epoch)
    return [index for batch in sampler for index in batch]


def test_each_class_is_split_in_the_same_proportions(tmp_path):
    draw_folder(tmp_path, count=10)
    for picture in sorted((tmp_path / "blue").iterdir())[3:]:
        picture.unlink()
    for seed in range(6):
        data = ImageFolder(tmp_path, val_size=0.3, stratified=True, seed=seed)
        data.setup()
        found = [torch.bincount(split.targets).tolist() for split in (data.train_set, data.val_set)]
        assert found == [[2, 7], [1, 3]]


def test_a_class_that_the_split_leaves_without_a_training_picture_is_an_error(tmp_path):
    draw_folder(tmp_path, count=4)
    for picture in sorted((tmp_path / "blue").iterdir())[1:]:
        picture.unlink()
    for seed in range(12):
        with pytest.warns(UserWarning, match="no validation pictures for blue"):
            ImageFolder(tmp_path, val_size=0.4, stratified=True, seed=seed).setup()
    with pytest.raises(ValueError, match="validation takes all pictures of class 'blue', and none is left to train on"):
        split_twelve_times(tmp_path)


def split_twelve_times(root):
    """Without regard to classes: in some of these splits, the one blue picture is held out."""
    for seed in range(12):
        with warnings.catch_warnings(action="ignore"):
            ImageFolder(root, val_size=0.4, seed=seed).setup()


def test_pictures_and_folders_that_belong_to_no_class_are_mentioned(tmp_path):
    draw_folder(tmp_path / "all", 4)
    one = next((tmp_path / "all/red").glob("*.png"))
    (tmp_path / "all/stray.png").write_bytes(one.read_bytes())
    with pytest.warns(UserWarning, match=r"^left out, not in the folder of a class: the picture \S+/all/stray\.png$"):
        load_folder(tmp_path / "all")
    for part in ("split/train", "split/val", "split/holdout"):
        draw_folder(tmp_path / part, 3)
    (tmp_path / "split/train/1.png").write_bytes(one.read_bytes())
    (tmp_path / "split/2.png").write_bytes(one.read_bytes())
    with pytest.warns(UserWarning, match="^left out") as warned:
        load_folder(tmp_path / "split")
    said = sorted(str(each.message) for each in warned)
    assert said[0] == "left out, beside the folders of the splits: holdout"
    assert said[1].startswith("left out, not in the folder of a class: 2 pictures, such as ")
