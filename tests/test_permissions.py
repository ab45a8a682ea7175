"""Files and folders that may not be read or be written to: one line names them, and none is left out in silence."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from pictures import draw_folder, load_folder
from recorded_runs import record_run, train_recorded

from litlab.checkpoint.archive import read
from litlab.cli.folders import NewFolders, Refused
from litlab.errors import ConfigError
from litlab.runs.__main__ import main as list_runs


@pytest.fixture
def folder():
    """A new folder that others may enter."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@contextlib.contextmanager
def nobody():
    """In the block, this process is a user who owns nothing, if it is root, who may do all."""
    if os.geteuid():
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_folder_of_pictures_is_not_left_out(folder):
    red = draw_folder(folder / "pictures") / "red"
    red.chmod(0)
    try:
        with nobody(), pytest.raises(ValueError, match=f"^{red}: cannot be read: Permission denied$"):
            load_folder(folder / "pictures")
    finally:
        red.chmod(0o755)


def test_a_checkpoint_is_not_called_damaged(folder):
    torch.save({}, file := folder / "best.ckpt")
    file.chmod(0)
    with nobody(), pytest.raises(ValueError, match=f"^{file}: cannot be read: Permission denied$"):
        read(file)


def test_a_run_folder_that_cannot_be_written_to_is_not_resumed(folder, monkeypatch):
    monkeypatch.chdir(folder)
    record_run(run := Path("run"))
    train_recorded(run, "trainer.max_epochs=1")
    run.chmod(0o555)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with nobody(), pytest.raises(ConfigError, match="^run: cannot be written to: Permission denied$"):
        train_recorded(run, checkpoint=run / "checkpoints/last.ckpt")
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("name", "key"), [("2026-11-29_00-00-00", "run"), ("sweep_2026-11-29_00-00-00", "sweep")])
def test_where_no_run_folder_can_be_made_another_is_asked_for(folder, name, key):
    folder.chmod(0o555)
    advice = f"start litlab in a folder of your own, or name one with hydra.{key}.dir=FOLDER"
    with nobody(), pytest.raises(Refused) as refused:
        NewFolders()(str(folder / "runs/mnist_mlp" / name))
    assert str(refused.value.error) == f"{folder / 'runs'}: cannot be made: Permission denied; {advice}"


def test_runs_that_cannot_be_listed_are_not_none(folder, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["runs", str(folder)])
    folder.chmod(0)
    with nobody():
        assert list_runs() == 2
    assert capsys.readouterr().err == f"error: {folder}: cannot be read: Permission denied\n"
    folder.chmod(0o755)
