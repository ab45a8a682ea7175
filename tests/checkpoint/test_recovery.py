import os

import pytest
import torch

from litlab.checkpoint import good_checkpoint, read, whole_checkpoint, write
from litlab.errors import ConfigError
from litlab.runs import BEST, LAST, PREVIOUS


@pytest.fixture
def run(tmp_path):
    """A function that makes a run folder with these checkpoints, each of the given step; None: a damaged one."""

    def make(**steps):
        for name, path in {"last": LAST, "previous": PREVIOUS, "best": BEST}.items():
            if name in steps:
                write({"global_step": steps[name] or 0, "weights": torch.zeros(9)}, tmp_path / path)
                if steps[name] is None:
                    (tmp_path / path).write_bytes((tmp_path / path).read_bytes()[:100])
        return tmp_path

    return make


def test_a_run_goes_on_from_its_last_checkpoint(run, capsys):
    assert whole_checkpoint(run(), None) is None
    folder = run(last=20, previous=10)
    assert whole_checkpoint(folder, None) == folder / LAST
    assert whole_checkpoint(folder, folder / PREVIOUS) == folder / PREVIOUS
    assert capsys.readouterr().err == ""


def test_a_damaged_checkpoint_is_named_and_the_previous_one_taken(run, capsys):
    folder = run(last=None, previous=10)
    assert whole_checkpoint(folder, None) == folder / PREVIOUS
    said = capsys.readouterr().err
    assert said.startswith(f"warning: {folder / LAST}: not a whole checkpoint of tensors and plain data")
    assert said.endswith("; going on from previous.ckpt\n")
    with pytest.raises(ConfigError, match=f"^resume: {folder / LAST}: not a whole checkpoint"):
        whole_checkpoint(folder, folder / LAST)


def test_a_run_whose_checkpoints_are_all_damaged_does_not_begin_anew(run):
    with pytest.raises(ConfigError, match=r"^resume: .*last.ckpt: not a whole .*; .*previous.ckpt: not a whole"):
        whole_checkpoint(run(last=None, previous=None), None)


def test_the_newest_other_checkpoint_is_named(run, monkeypatch):
    folder = run(last=None, previous=None, best=10)
    for number, name in enumerate(["best", "epoch_001", "epoch_002", "weights", "epoch_003"]):
        path = folder / f"checkpoints/{name}.ckpt"
        write({"global_step": number} if name != "weights" else {"weights": torch.zeros(9)}, path)
        os.utime(path, (number, number))
    path.write_bytes(b"damaged")
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match="; go on with resume=checkpoints/epoch_002.ckpt$"):
        whole_checkpoint(folder, None)
    for path in folder.glob("checkpoints/*"):
        path.write_bytes(b"damaged")
    with pytest.raises(ConfigError, match="; begin a new run$"):
        whole_checkpoint(folder, None)


@pytest.mark.parametrize(
    ("steps", "before", "found"),
    [
        ({"last": 30, "previous": 20, "best": 10}, None, 30),
        ({"last": None, "previous": 20, "best": 10}, None, 20),
        ({"last": 30, "previous": 20, "best": 10}, 20, 30),  # saved since
        ({"last": 30, "previous": 20, "best": 10}, 30, 20),  # the NaN came back from there
        ({"last": 30, "previous": 30, "best": 10}, 30, 10),
        ({"last": 30, "previous": 30, "best": 30}, 30, None),
        ({}, None, None),
    ],
)
def test_after_a_nan_a_run_goes_back_to_a_checkpoint_from_before_it(run, steps, before, found):
    folder = run(**steps)
    chosen = good_checkpoint(folder, before)
    if found is None:
        assert chosen is None
        assert not list(folder.glob("checkpoints/*")), "nothing is left that the run could go on from"
    else:
        assert chosen == folder / LAST
        assert read(chosen)["global_step"] == found
