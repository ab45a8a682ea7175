"""Pictures are decoded once, and a cache never answers for another file or another setting."""

import os
from types import SimpleNamespace

import pytest
import torch
from pictures import draw_folder, draw_landmarks, load_folder
from PIL import Image
from scripts import asked

from litlab.config import check
from litlab.data import ImageFolder, Landmarks, cache_file, picture_cache, picture_dataset
from litlab.data.in_memory import CachedPictures
from litlab.data.picture_cache import MOST_AT_ONCE, key_of
from litlab.data.workers import BadPicture
from litlab.errors import ConfigError

GIB = 2**30


@pytest.fixture
def opened(monkeypatch):
    """The names of the files that are decoded in this process."""
    names = []
    read = picture_dataset.read_picture
    monkeypatch.setattr(
        picture_dataset,
        "read_picture",
        lambda path, *more: names.append(os.path.basename(path)) or read(path, *more),  # noqa: PTH119
    )
    return names


def epochs(data, count=2):
    """All batches of some epochs, and those of validation."""
    loader, batches = data.train_dataloader(), []
    for epoch in range(count):
        loader.batch_sampler.set_epoch(epoch)
        batches += list(loader)
    return batches + list(data.val_dataloader())


def assert_same(found, expected):
    assert len(found) == len(expected)
    for (images, targets), (other_images, other_targets) in zip(found, expected, strict=True):
        assert torch.equal(images, other_images)
        assert torch.equal(targets, other_targets)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_each_picture_is_decoded_once_and_the_batches_are_the_same(root, opened, cache, workers):
    expected = epochs(load_folder(root, batch_size=5))
    data = load_folder(root, batch_size=5, cache=cache, num_workers=workers)
    before = len(opened)
    assert_same(epochs(data), expected)
    assert len(opened) - before == (20 if workers == 0 else 0)  # workers are processes of their own
    assert isinstance(data.train_set, CachedPictures)
    assert data.train_dataloader().num_workers == 0
    assert data.train_set.paths == load_folder(root).train_set.paths


@pytest.mark.parametrize(
    "arguments",
    [
        {"resizer": "pillow", "interpolation": "bicubic", "grayscale": True},
        {"center_crop": False, "image_size": (12, 20)},
        {"balanced": True, "train_limit": 7, "drop_last": True, "batch_size": 3},
        {"resize": 20, "augment": ["random_horizontal_flip"]},
    ],
)
def test_every_kind_of_set_has_the_same_batches(root, arguments):
    expected = epochs(load_folder(root, **arguments))
    assert_same(epochs(load_folder(root, cache="memory", **arguments)), expected)
    for _ in range(2):  # the second reads what the first has written
        assert_same(epochs(load_folder(root, cache="disk", **arguments)), expected)


def test_training_pictures_are_decoded_small_and_those_of_evaluation_whole(tmp_path):
    for name in ("blue", "red"):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.effect_noise((160, 130), 90).convert("RGB").save(tmp_path / name / f"{number}.jpg")
    plain = load_folder(tmp_path, val_size=2)
    for cache in ("memory", "disk"):
        data = load_folder(tmp_path, val_size=2, cache=cache)
        assert_same(epochs(data), epochs(plain))
        for split in ("train", "val"):
            assert torch.equal(data.evaluation_set(split)[0][0], plain.evaluation_set(split)[0][0])
        assert not torch.equal(data.train_set[0][0], data.evaluation_set("train")[0][0])


def test_a_later_run_decodes_only_what_is_new_or_has_changed(root, opened):
    first, again = (load_folder(root, cache="disk", seed=seed) for seed in (42, 7))
    first.fill_cache()
    assert len(opened) == 20
    again.fill_cache()  # training and evaluation decode in different ways, so what changes its split is decoded again
    assert len(opened) == 20 + len(set(again.val_set.paths) ^ set(first.val_set.paths))
    del opened[:]
    Image.new("RGB", (50, 50), "white").save(root / "blue/001.png")
    Image.new("RGB", (50, 50), "white").save(root / "red/new.png")
    data = load_folder(root, cache="disk", resizer="pillow", val_size=1)
    data.fill_cache()
    assert len(opened) == 21  # by other settings
    del opened[:]
    Image.new("RGB", (50, 50), "black").save(root / "blue/001.png")
    changed = load_folder(root, cache="disk", resizer="pillow", val_size=1)
    changed.fill_cache()
    assert opened == ["001.png"]
    assert_same(epochs(changed), epochs(load_folder(root, resizer="pillow", val_size=1)))
    assert_same(epochs(data), epochs(data))  # the run before still has its own pictures


def test_a_file_of_another_time_or_size_is_another_file(root, opened):
    load_folder(root, cache="disk").fill_cache()
    path = root / "red/001.png"
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    del opened[:]
    load_folder(root, cache="disk").fill_cache()
    assert opened == ["001.png"]


@pytest.mark.parametrize(
    "setting",
    [
        {"image_size": 20},
        {"resize": 18},
        {"center_crop": False},
        {"interpolation": "bicubic"},
        {"resizer": "pillow"},
        {"grayscale": True},
    ],
)
def test_every_setting_that_decides_the_pixels_has_a_cache_of_its_own(root, setting):
    plain, other = load_folder(root), load_folder(root, **setting)
    assert key_of(plain.val_set) != key_of(other.val_set)
    assert_same(epochs(load_folder(root, cache="disk")), epochs(plain))
    assert_same(epochs(load_folder(root, cache="disk", **setting)), epochs(other))


def test_the_decoder_has_a_cache_of_its_own(root, monkeypatch):
    data = load_folder(root)
    keys = {key_of(data.train_set), key_of(data.val_set)}
    monkeypatch.setattr(picture_cache.jpeg, "simplejpeg", None if picture_cache.jpeg.available() else cache_file)
    assert len(keys | {key_of(data.train_set), key_of(data.val_set)}) == 4


@pytest.mark.parametrize(
    ("arguments", "instead"),
    [
        (
            {"transforms": ["RandomHorizontalFlip"]},
            r"data\.transforms .*; write data\.transforms=\[\], and perhaps data\.augment=\[\.\.\.\], which is done",
        ),
        ({"random_crop": True}, r"data\.random_crop .*; write data\.random_crop=false, and perhaps .*, which is done"),
    ],
)
def test_random_transforms_before_a_cache_are_refused(root, arguments, instead):
    for cache in ("memory", "disk"):
        with pytest.raises(ValueError, match=f"^cache={cache}: {instead} .*; or data\\.cache=none$"):
            load_folder(root, cache=cache, **arguments)
    data = load_folder(root, cache="auto", **arguments)
    data.train_dataloader()
    assert not isinstance(data.train_set, CachedPictures)


def test_pictures_that_a_class_of_ones_own_loads_are_refused(root):
    class Own(ImageFolder):
        def picture_transform(self, training=False):
            fit = super().picture_transform(training)
            return lambda image: fit(image)

    data = Own(root, image_size=16, val_size=4, cache="memory")
    data.setup()
    with pytest.raises(ValueError, match=r"^cache=memory: .* in a way of their own; write data\.cache=none$"):
        data.train_dataloader()


def test_a_set_that_does_not_fit_is_refused_or_not_cached(root, monkeypatch, capsys):
    needed = 20 * 3 * 16 * 16
    monkeypatch.setattr(picture_cache, "free_memory", lambda: needed - 1)
    with pytest.raises(ValueError, match=r"^cache=memory: the pictures need 15\.0 KiB, and 15\.0 KiB are free; write"):
        load_folder(root, cache="memory").train_dataloader()
    capsys.readouterr()
    for free, isin in ((4 * needed - 1, False), (4 * needed, True)):
        monkeypatch.setattr(picture_cache, "free_memory", lambda free=free: free)
        data = load_folder(root, cache="auto")
        data.train_dataloader()
        assert isinstance(data.train_set, CachedPictures) == isin
    none, memory = capsys.readouterr().out.splitlines()
    assert none.startswith("cache: none, the pictures need 15.0 KiB, more than a quarter of the free memory")
    assert memory == "cache: 20 pictures in memory, 15.0 KiB"
    monkeypatch.setattr(picture_cache, "free_memory", lambda: 4 * needed)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")  # each process has its own
    data = load_folder(root, cache="auto")
    data.train_dataloader()
    assert not isinstance(data.train_set, CachedPictures)


def test_a_full_disk_is_one_line_and_leaves_what_was_written(root, monkeypatch, opened):
    def full(path, size, data):
        if size:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(picture_cache, "MOST_AT_ONCE", 4)
    monkeypatch.setattr(cache_file, "write_at", full)
    with pytest.raises(
        ValueError, match=r"^cache=disk: .* cannot be filled: .*No space left on device \(.*, line \d+\); write"
    ) as caught:
        load_folder(root, cache="disk").fill_cache()
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert MOST_AT_ONCE > 4
    data = load_folder(root, cache="disk")
    data.fill_cache()
    assert_same(epochs(data), epochs(load_folder(root)))


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(root, monkeypatch, opened):
    monkeypatch.setattr(cache_file.shutil, "disk_usage", lambda path: SimpleNamespace(free=9))
    with pytest.raises(ValueError, match=r"^cache=disk: .*: 16 pictures need 12\.0 KiB, and 0\.0 KiB are free; write"):
        load_folder(root, cache="disk").fill_cache()
    assert opened == []


def test_a_picture_that_has_gone_in_the_meantime_is_named(root):
    for cache in ("memory", "disk"):
        for workers in (0, 1):
            data = load_folder(root, cache=cache, num_workers=workers)
            path = data.train_set.paths[3]
            content = path.read_bytes()
            path.unlink()
            with pytest.raises(BadPicture, match=f"^{path} cannot be read any more: not there$"):
                data.fill_cache()
            path.write_bytes(content)


def test_unreadable_files_are_skipped_and_counted_as_without_a_cache(root):
    (root / "blue/empty.png").touch()
    for cache in ("none", "memory", "disk"):
        with pytest.warns(UserWarning, match=r"skipped: 1 of 21 files cannot be read: .*empty\.png \(empty\)"):
            data = load_folder(root, max_bad_fraction=0.2, cache=cache)
        data.train_dataloader()
        assert data.sizes == {"train": 16, "val": 4}


def test_where_the_folder_cannot_be_written_the_cache_is_in_the_users_folder(root, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write everywhere
    load_folder(root, cache="disk").fill_cache()
    assert not (root / cache_file.NAME).exists()
    assert len(list((tmp_path / "cache/litlab/pictures").glob("*-decoded/*.u8"))) == 2


def test_the_cache_is_no_class_of_pictures(root):
    load_folder(root, cache="disk").fill_cache()
    assert (root / cache_file.NAME).is_dir()
    assert load_folder(root).class_names == ("blue", "red")


def test_landmarks_and_several_folders_are_cached(tmp_path, opened):
    file = draw_landmarks(tmp_path / "faces", count=10)
    plain = Landmarks(file, image_size=32)
    plain.setup()
    for _ in range(2):
        data = Landmarks(file, image_size=32, cache="disk")
        data.setup()
        assert_same(epochs(data), epochs(plain))
    for name in "ab":
        draw_folder(tmp_path / name, 4)
    Image.new("RGB", (50, 50), "white").save(tmp_path / "b/red/001.png")
    both = [tmp_path / "a", tmp_path / "b"]
    for _ in range(2):
        del opened[:]
        assert_same(epochs(load_folder(*both, cache="disk")), epochs(load_folder(*both)))
    assert len(opened) == 12 + 12 + 4  # two epochs and a validation without a cache, and none with it


def test_the_config_takes_the_four_kinds_and_no_other(root):
    for kind in ("none", "memory", "disk", "auto"):
        check(asked("data=image_folder", f"data.data_dir={root}", f"data.cache={kind}").cfg)
    with pytest.raises(ConfigError, match=r"^data\.cache=ram: must be one of none, memory, disk, auto$"):
        check(asked("data=image_folder", f"data.data_dir={root}", "data.cache=ram").cfg)
    with pytest.raises(ValueError, match="^cache must be one of none, memory, disk, auto, not 'ram'"):
        load_folder(root, cache="ram")


def test_the_cache_says_once_what_it_takes(root, capsys):
    data = load_folder(root, cache="disk")
    epochs(data)
    assert capsys.readouterr().out.splitlines() == [f"cache: 20 pictures in {root}/.litlab-cache, 15.0 KiB"]


def test_workers_are_used_for_the_test_set_only(root):
    data = load_folder(root, cache="memory", num_workers=2, test_size=4, prefetch_factor=3)
    loaders = data.train_dataloader(), data.val_dataloader(), data.test_dataloader()
    assert [loader.num_workers for loader in loaders] == [0, 0, 2]


def test_pictures_on_a_gpu_must_be_decoded_before(root):
    for arguments in ({}, {"cache": "auto", "transforms": ["RandomHorizontalFlip"]}):
        with pytest.raises(
            ValueError, match=r"^device=gpu is for pictures that are decoded once: write data\.cache=mem"
        ):
            load_folder(root, device="gpu", **arguments)
    with pytest.raises(ValueError, match="^device must be auto or cpu: the training is not on a CUDA GPU$"):
        load_folder(root, device="gpu", cache="memory").train_dataloader()
    with pytest.raises(ValueError, match="^device must be auto, cpu or gpu, not 'tpu'$"):
        load_folder(root, device="tpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_decoded_pictures_are_kept_on_the_gpu(root, cache):
    data, gpu = load_folder(root, cache=cache), torch.device("cuda", 0)
    data.fill_cache()
    placed = data.placed(data.train_set, gpu)
    assert placed.images.device == placed.labels.device == gpu
    assert placed.paths == data.train_set.paths
    for found, expected in zip(
        placed.__getitems__([3, 1]), load_folder(root).train_set.__getitems__([3, 1]), strict=True
    ):
        assert torch.equal(found.cpu(), expected)
