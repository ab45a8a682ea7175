"""A run with a cache of its pictures is the same run as one without, to the last bit."""

import csv
import shutil
import sys

import pytest
import torch
from faults.compare import differences
from pictures import draw_folder
from recorded_runs import WITHOUT_FAULT, record_run, stop_at, train_recorded

from litlab.data import Unreadable
from litlab.errors import ConfigError, RunFailed

SMALL = [
    *("data=image_folder", "data.image_size=16", "data.num_workers=0", "data.batch_size=4", "model=mlp"),
    *("model.hidden=[8]", "trainer=cpu", "trainer.max_epochs=2", "callbacks.report.enabled=false"),
    *("data.test_size=0.2", "data.augment=[random_crop]", "trainer.log_every_n_steps=2"),
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Ten pictures of each of two classes."""
    return draw_folder(tmp_path_factory.mktemp("cached") / "pictures", 10)


@pytest.fixture(scope="module")
def uncached(pictures, tmp_path_factory):
    """The folder of a run of two epochs of three steps, without a cache."""
    folder = tmp_path_factory.mktemp("uncached") / "run"
    record_run(folder, f"data.data_dir={pictures}", "data.cache=none", base=SMALL)
    train_recorded(folder)
    return folder


def differences_but_where(run, other):
    """See `differences`; the settings that say where pictures are kept are left out."""
    return [line for line in differences(run, other) if "/source/args" not in line]


@pytest.mark.parametrize(
    "overrides", [["memory"], ["disk", "engine=blocks"], ["auto", "data.num_workers=1"]], ids=" ".join
)
def test_a_cached_run_is_the_same_run(pictures, uncached, tmp_path, overrides):
    record_run(tmp_path / "run", f"data.data_dir={pictures}", f"data.cache={overrides[0]}", *overrides[1:], base=SMALL)
    train_recorded(tmp_path / "run")
    assert differences_but_where(tmp_path / "run", uncached) == []
    assert (tmp_path / "run/metrics.csv").read_bytes() == (uncached / "metrics.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [("memory", "memory"), ("none", "disk")])
def test_a_run_that_is_stopped_within_an_epoch_goes_on_with_a_cache_or_without(
    pictures, uncached, tmp_path, before, after
):
    record_run(tmp_path / "run", f"data.data_dir={pictures}", f"data.cache={before}", stop_at(4), base=SMALL)
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(tmp_path / "run")
    train_recorded(tmp_path / "run", WITHOUT_FAULT, f"data.cache={after}")
    assert differences_but_where(tmp_path / "run", uncached) == []


def test_pictures_are_cached_in_memory_by_default(pictures, uncached, tmp_path, capfd):
    record_run(tmp_path / "run", f"data.data_dir={pictures}", base=SMALL)
    train_recorded(tmp_path / "run")
    assert "cache: 16 pictures in memory, 12.0 KiB" in capfd.readouterr().out
    assert differences_but_where(tmp_path / "run", uncached) == []


@pytest.mark.parametrize(
    "overrides",
    [
        ["trainer.max_epochs=1"],
        ["trainer.max_epochs=null", "trainer.max_steps=3"],
        ["trainer.limit_train_batches=1"],
        ["trainer.limit_train_batches=0.5"],
        ["data.transforms=[RandomGrayscale]"],
    ],
    ids=" ".join,
)
def test_pictures_that_are_read_once_are_not_cached_by_default(pictures, train_here, overrides):
    assert "cache:" not in train_here(*SMALL, f"data.data_dir={pictures}", *overrides).out


def test_each_of_several_processes_needs_an_epoch_more_for_its_cache(pictures, train_here, monkeypatch):
    monkeypatch.setattr(sys.modules["litlab.training.assemble"], "processes_here", lambda: 2)
    assert "cache:" not in train_here(*SMALL, f"data.data_dir={pictures}").out


def test_pictures_are_cached_by_default_where_steps_end_a_second_epoch(pictures, train_here):
    done = train_here(*SMALL, f"data.data_dir={pictures}", "trainer.max_epochs=null", "trainer.max_steps=4")
    assert done.out.count("cache: 16 pictures in memory") == 1


def test_the_run_says_what_is_cached(pictures, train_here):
    done = train_here(*SMALL, f"data.data_dir={pictures}", "data.cache=memory", "trainer.max_epochs=1")
    assert done.status == 0, done.err
    assert done.out.splitlines()[0] == "cache: 16 pictures in memory, 12.0 KiB"
    assert done.out.count("cache:") == 1


def test_random_transforms_are_refused_in_one_line(pictures, train_here, tmp_path):
    done = train_here(*SMALL, f"data.data_dir={pictures}", "data.cache=memory", "data.random_crop=true")
    assert done.status == 2
    assert done.err.splitlines() == [
        "error: data.cache=memory: data.random_crop can change a picture in each epoch; write "
        "data.random_crop=false, and perhaps data.augment=[random_crop], which is done on whole batches; or "
        "data.cache=none"
    ]
    assert not done.runs


def test_a_picture_that_cannot_be_decoded_any_more_leaves_no_run(pictures, tmp_path, monkeypatch):
    folder = shutil.copytree(pictures, tmp_path / "pictures")
    record_run(tmp_path / "run", f"data.data_dir={folder}", "data.cache=memory", base=SMALL)

    def gone(*_):
        raise Unreadable("not there")

    monkeypatch.setattr("litlab.data.picture_dataset.read_picture", gone)
    with pytest.raises(ConfigError, match=r"^data: .*/pictures/\w+/\d+\.\w+ cannot be read any more: not there$"):
        train_recorded(tmp_path / "run")
    assert not (tmp_path / "run/result.json").exists()


def test_an_evaluation_writes_no_cache(pictures, use, tmp_path):
    folder = shutil.copytree(pictures, tmp_path / "pictures")
    record_run(tmp_path / "run", f"data.data_dir={folder}", "data.cache=disk", "trainer.max_epochs=1", base=SMALL)
    train_recorded(tmp_path / "run")
    shutil.rmtree(folder / ".litlab-cache")
    with (tmp_path / "run/metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row.get("val/loss")]
    use(f"ckpt={tmp_path}/run", "evaluate=val", f"data.data_dir={folder}")
    assert rows
    assert not (folder / ".litlab-cache").exists()


def test_a_run_from_before_the_cache_goes_on_with_one(pictures, uncached, tmp_path):
    record_run(tmp_path / "run", f"data.data_dir={pictures}", "trainer.max_epochs=1", base=SMALL)
    config = tmp_path / "run/.hydra/config.yaml"
    config.write_text("".join(line for line in config.read_text().splitlines(True) if "cache:" not in line))
    train_recorded(tmp_path / "run")
    saved = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert "cache" not in saved["litlab"]["config"]["data"]
    train_recorded(tmp_path / "run", "trainer.max_epochs=2", "data.cache=memory")


@pytest.mark.slow
def test_a_search_of_a_few_steps_does_not_decode_all_pictures(pictures, train_here):
    done = train_here(*SMALL, f"data.data_dir={pictures}", "data.cache=memory", "lr_find=true")
    assert "cache:" not in done.out
    assert "optimizer.lr=" in done.out
