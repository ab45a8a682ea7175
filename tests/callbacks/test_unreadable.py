"""A training that meets pictures that cannot be read."""

import csv
import json

import pytest
from litlab_command import call
from pictures import draw_folder

from litlab.data import index_file, picture_check

SMALL = [
    *("data=image_folder", "data.data_dir=pictures", "data.image_size=16", "data.num_workers=0", "data.batch_size=4"),
    *("data.cache=none", "model=mlp", "model.hidden=[8]", "trainer=cpu", "callbacks.report.enabled=false"),
    *("logger=csv", "callbacks.model_summary.enabled=false"),
]


@pytest.fixture
def damaged(tmp_path, monkeypatch):
    """Forty pictures, of which the training meets two that cannot be read."""
    monkeypatch.setattr(picture_check, "LARGE", 10)
    draw_folder(tmp_path / "pictures", 20)
    for name in ("blue/004.png", "red/002.bmp"):
        (tmp_path / "pictures" / name).write_bytes(b"no picture")
    return tmp_path


def metrics(run) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [{key: cell for key, cell in row.items() if "sec" not in key} for row in csv.DictReader(file)]


def test_they_are_counted_and_named_and_the_others_are_in_the_index(damaged, train_here):
    with pytest.warns(UserWarning, match=r"^skipped: 2 of 40 files cannot be read: .*/004\.png, .*/002\.bmp \(not"):
        done = train_here(*SMALL, "data.max_bad_fraction=0.1", "trainer.max_epochs=2", "hydra.run.dir=run")
    assert done.status == 0, done.err
    log = (damaged / "run/train.log").read_text()
    assert log.count("unreadable: ") == 2
    assert log.count("red/002.bmp (not a picture in a format that Pillow reads)") >= 1
    assert len(index_file.load(damaged / "pictures" / index_file.NAME).pixels) == 38


def test_a_run_ends_after_the_epoch_in_which_there_were_too_many(damaged, train_here):
    done = train_here(*SMALL, "data.max_bad_fraction=0.04", "trainer.max_epochs=3", "hydra.run.dir=run")
    assert done.status == 1
    said = "failed: data.max_bad_fraction=0.04: 2 of 40 files cannot be read: "
    assert done.err.splitlines()[-1].startswith(said)
    assert done.err.splitlines()[-1].endswith("or skip them with data.max_bad_fraction=0.05")
    assert json.loads((damaged / "run/result.json").read_text())["status"] == "failed"


@pytest.mark.filterwarnings("ignore:skipped")
@pytest.mark.slow
def test_a_resumed_run_is_the_same_run(damaged, train_here):
    allowed = [*SMALL, "data.max_bad_fraction=0.1", "scheduler=none"]
    assert train_here(*allowed, "trainer.max_epochs=2", "hydra.run.dir=whole").status == 0
    (damaged / "pictures" / index_file.NAME).unlink()
    assert train_here(*allowed, "trainer.max_epochs=1", "hydra.run.dir=resumed").status == 0
    done = train_here("resume=resumed", "trainer.max_epochs=2")
    assert done.status == 0, done.err
    assert metrics(damaged / "resumed") == metrics(damaged / "whole")


@pytest.mark.slow
def test_ranks_say_together_what_each_has_found(tmp_path, monkeypatch):
    (picture,) = draw_folder(tmp_path / "one", 1, ("blue",)).glob("*/*")
    for number in range(picture_check.LARGE):
        path = tmp_path / "pictures" / ("blue", "red")[number % 2] / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no picture" if number in range(0, 300, 10) else picture.read_bytes())
    monkeypatch.chdir(tmp_path)
    done = call(tmp_path, "train", *SMALL[:-2], "trainer=ddp_cpu", "data.batch_size=100", "trainer.max_epochs=1",
                "logger=csv", "hydra.run.dir=run")  # fmt: skip
    assert done.returncode == 0, done.stderr
    skipped = [line for line in (done.stdout + done.stderr).splitlines() if "skipped: " in line]
    assert skipped[-1].startswith("warning: skipped: 30 of 10,000 files cannot be read: ")
    assert len(skipped) <= 2  # those of validation before the training; all of them after the epoch, once
    assert "\nunreadable: " not in done.stderr
    assert len(index_file.load(tmp_path / "pictures" / index_file.NAME).pixels) == 9970
