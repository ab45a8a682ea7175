"""What a config leaves open: the precision, and the GPU of a job."""

from pathlib import Path

import pytest
import torch
from scripts import QUICK, asked

from litlab.config import SweepJob
from litlab.training.settle import settle_for_all_processes

SMALL = [*QUICK, "model=mlp", "data.train_limit=320"]


@pytest.mark.parametrize("given", ["32-true", "bf16-mixed"])
def test_a_run_has_the_precision_of_its_config(train_here, given):
    done = train_here(*SMALL, f"trainer.precision={given}")
    assert done.status == 0
    assert f"cpu, {given}" in done.out
    checkpoint = torch.load(next(done.folder.rglob("last.ckpt")), weights_only=True)
    assert checkpoint["litlab"]["numerics"]["precision"] == given


@pytest.mark.parametrize(("given", "computed"), [("16", "bf16-mixed"), ("bf16", "bf16-mixed"), ("32", "32-true")])
def test_the_precision_that_is_computed_in_has_its_whole_name(train_here, given, computed):
    """Lightning would print warnings of its own, and litlab the precision that was not there."""
    done = train_here(*SMALL, f"trainer.precision={given}")
    assert f"cpu, {computed}" in done.out
    wanted = f"warning: trainer.precision={given}: a CPU has bfloat16 in its place, so the run trains in bf16-mixed\n"
    assert done.err == (wanted if given == "16" else "")


@pytest.mark.slow
def test_a_resumed_run_keeps_its_precision(train_here):
    """Also if it goes on on another machine: the checkpoint decides, and not the hardware."""
    done = train_here(*SMALL, "trainer.precision=bf16-mixed")
    assert done.status == 0
    done = train_here("resume=latest", "trainer.precision=auto", "trainer.max_epochs=2")
    assert done.status == 0, done.err
    assert "cpu, bf16-mixed" in done.out


def test_a_regression_has_32_bits(train_here):
    done = train_here("experiment=linear_regression", "trainer.max_epochs=1")
    assert done.status == 0
    assert "cpu, 32-true" in done.out


@pytest.mark.parametrize(("number", "devices"), [(0, [0]), (1, [1]), (2, [0])])
def test_jobs_that_run_at_once_take_turns_with_the_gpus(monkeypatch, number, devices):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    job = SweepJob(number, Path("sweep"), "Joblib", jobs_at_once=2)
    assert list(settle_for_all_processes(asked(job=job)).cfg.trainer.devices) == devices
    alone = asked(job=SweepJob(number, Path("sweep"), "Basic"))
    assert settle_for_all_processes(alone) is alone
