"""The config in the run folder."""

import subprocess

import pytest
from recorded_runs import WITHOUT_FAULT, record_run, stop_at, train_recorded

from litlab.errors import ConfigError, RunFailed
from litlab.training import batch_size


def test_a_refused_batch_size_leaves_the_recorded_config(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_size, "largest", lambda *_: 512)
    folder = tmp_path / "run"
    record_run(folder, stop_at(13))
    with pytest.raises(RunFailed):
        train_recorded(folder)
    before = (folder / ".hydra/config.yaml").read_text()
    with pytest.raises(ConfigError, match="it was 64"):
        train_recorded(folder, "data.batch_size=auto", WITHOUT_FAULT)
    assert (folder / ".hydra/config.yaml").read_text() == before


def test_a_run_whose_checkpoints_are_gone_is_not_begun_anew(tmp_path):
    folder = tmp_path / "run"
    record_run(folder, "trainer.max_epochs=1")
    train_recorded(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*.[cjy]*") if path.suffix != ".ckpt"}
    (folder / "checkpoints/last.ckpt").unlink()
    (folder / "checkpoints/previous.ckpt").unlink(missing_ok=True)
    with pytest.raises(ConfigError, match=r"run: checkpoints/last.ckpt is gone; go on with resume=.*/best.ckpt$"):
        train_recorded(folder, "trainer.max_epochs=2")
    (folder / "checkpoints/best.ckpt").unlink()
    said = "run: checkpoints/last.ckpt is gone, and there is no other; start a new run$"
    with pytest.raises(ConfigError, match=said):
        train_recorded(folder, "trainer.max_epochs=2")
    assert {path: path.read_bytes() for path in before} == before


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    folder = tmp_path / "run"
    record_run(folder)
    if subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], capture_output=True).returncode:
        pytest.skip("only root can mount a folder")
    try:
        with pytest.raises(ConfigError, match=r"run: cannot be written to: Read-only file system"):
            train_recorded(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
