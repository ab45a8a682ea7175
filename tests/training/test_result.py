"""`result.json` and the page of a run."""

import os
import signal

import pytest
import torch
from scripts import QUICK

from litlab.report import files


def test_the_result_describes_the_run(quick_run):
    result = quick_run.result
    assert result["status"] == "completed"
    assert result["epochs"] == 2
    assert result["best_checkpoint"] == "checkpoints/best.ckpt"
    assert result["last_checkpoint"] == "checkpoints/last.ckpt"
    assert result["dataset"] == {"name": "mnist_sample", "train": 3500, "val": 500, "test": 1000}
    assert result["overrides"] == [*QUICK, "callbacks.report.enabled=true", "trainer.max_epochs=2", "seed=1"]
    assert result["versions"]["torch"] == torch.__version__
    assert result["seconds"] > 0
    assert result["images_per_second"] > 0
    names = {f"{split}/{metric}" for split in ("train", "val", "test") for metric in ("loss", "acc")}
    assert set(result["metrics"]) == names
    assert 0.5 < result["metrics"]["test/acc"] < 1


@pytest.mark.usefixtures("ctrl_c")
def test_a_signal_while_the_page_is_drawn_leaves_the_result(train_here, monkeypatch):
    monkeypatch.setattr(files, "write_page", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    quick = (*QUICK, "model=mlp", "data.train_limit=320", "callbacks.report.enabled=true")
    done = train_here(*quick)
    assert (done.status, done.err) == (130, "interrupted\n")
    assert (done.result["status"], done.result["report"]) == ("completed", None)
    assert "test/acc" in done.result["metrics"]
    assert "run folder " in done.out
