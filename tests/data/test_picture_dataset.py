"""Files that cannot be read, before the training and in it."""

import warnings

import pytest
import torch
from pictures import load_folder
from PIL import Image
from scripts import asked

from litlab.config import check
from litlab.data import worker_settings
from litlab.data.workers import BadPicture
from litlab.errors import ConfigError


def small_among_large(root):
    for path in root.glob("*/*"):
        Image.new("RGB", (60, 60)).save(path)
    Image.new("RGB", (60, 20)).save(root / "red/small.png")
    return {"image_size": 30, "transforms": [{"name": "RandomCrop", "size": 30}], "val_size": 1}


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_picture_that_a_transform_cannot_take_is_named(root, num_workers):
    data = load_folder(root, **small_among_large(root), num_workers=num_workers)
    with pytest.raises(BadPicture, match=r"^transforms cannot take .*/small\.png: Required crop size .*$") as caught:
        list(data.train_dataloader())
    assert "\n" not in str(caught.value)


def test_a_run_ends_in_one_line_if_a_transform_cannot_take_a_picture(root, train_here):
    small_among_large(root)
    done = train_here(
        "data=image_folder", f"data.data_dir={root}", "data.image_size=30", "data.val_size=1", "model=mlp",
        "data.transforms=[{name: RandomCrop, size: 30}]", "data.num_workers=0", "trainer=cpu", "logger=none",
        "callbacks.report.enabled=false",
    )  # fmt: skip
    assert done.status == 1
    assert done.err.splitlines()[-1].startswith(f"failed: data.transforms cannot take {root}/red/small.png: ")
    assert "Traceback" not in done.err
    assert done.result["error"].startswith("data.transforms cannot take ")


def test_a_picture_that_has_gone_is_named(root):
    data = load_folder(root, num_workers=1)
    data.train_set.paths[3].unlink()
    with pytest.raises(BadPicture, match=rf"^{data.train_set.paths[3]} cannot be read any more: not there$"):
        list(data.train_dataloader())


def test_checking_files_leaves_warnings_as_they_were(root):
    """A filter of warnings belongs to the whole process, so threads that set it may leave it behind."""
    (root / "blue/empty.png").touch()
    before = list(warnings.filters)
    for _ in range(20):
        with pytest.warns(UserWarning, match="skipped: 1 of 21"):
            load_folder(root, max_bad_fraction=0.2)
        assert warnings.filters == before


def test_unreadable_files_are_named_counted_and_skipped(root):
    bad = root / "red/broken.jpg"
    whole = (root / "red/000.jpg").read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])  # a download that was cut off
    (root / "blue/empty.png").touch()
    (root / "blue/notes.txt").write_text("no picture, and none of our business")
    with pytest.warns(
        UserWarning, match=r"skipped: 2 of 22 files cannot be read: .*empty\.png \(.+\), .*broken\.jpg \("
    ):
        data = load_folder(root, max_bad_fraction=0.2)
    assert sum(data.sizes.values()) == 20
    assert bad not in [*data.train_set.paths, *data.val_set.paths]
    with pytest.raises(ValueError, match=r"^max_bad_fraction=0\.01: 2 of 22 files cannot be read: .*broken\.jpg"):
        load_folder(root)


@pytest.mark.parametrize(("cores", "ranks", "workers"), [(1, 1, 1), (6, 1, 6), (6, 4, 1), (64, 2, 8)])
def test_auto_takes_a_worker_for_each_core_that_a_process_has(root, monkeypatch, cores, ranks, workers):
    monkeypatch.setattr(worker_settings, "cores", lambda: cores)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(ranks))
    data = load_folder(root, num_workers="auto")
    assert (data.num_workers, data.persistent_workers) == (workers, True)
    check(asked("data=image_folder", f"data.data_dir={root}", "data.num_workers=auto").cfg)
    with pytest.raises(ConfigError, match=r"^data\.num_workers=many: must be one of auto or an integer"):
        check(asked("data=image_folder", f"data.data_dir={root}", "data.num_workers=many").cfg)


@pytest.mark.parametrize("settings", [{"random_crop": True, "resize": 20}, {"transforms": ["RandomHorizontalFlip"]}])
def test_random_pictures_of_a_batch_do_not_depend_on_the_worker_or_on_the_batches_before(root, settings):
    def batches(num_workers, epoch, first=0):
        data = load_folder(root, batch_size=4, num_workers=num_workers, **settings)
        loader = data.train_dataloader()
        for number in range(epoch + 1):
            loader.batch_sampler.set_epoch(number)
            if number == epoch:
                loader.batch_sampler.start_at(first)
            images = [images for images, _ in loader]
        return images

    state = torch.get_rng_state()
    without = batches(0, epoch=1)
    assert torch.equal(torch.get_rng_state(), state), "the random numbers of the training are left alone"
    assert not all(map(torch.equal, without, batches(0, epoch=0)))
    for workers in (1, 2):
        assert all(map(torch.equal, batches(workers, epoch=1), without))
    assert all(map(torch.equal, batches(2, epoch=1, first=2), without[2:]))
