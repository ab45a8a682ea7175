"""A job of a sweep: its lock, and how it goes on from an earlier start."""

import json
import os
import re
import shutil
import signal
import threading
import time
from types import SimpleNamespace

import pytest
import torch
from recorded_runs import LINE, record_run, stop_at, train_recorded
from scripts import asked, composed
from sweep_folders import job_of

from litlab import config, runs, sweeps
from litlab.config import Run, SweepJob
from litlab.errors import ConfigError, RunFailed
from litlab.training import weights
from litlab.training.jobs import hold_when_free, resume_job, stopped_with_sweep
from litlab.training.resume import restore_settings


@pytest.mark.slow
def test_a_job_waits_until_another_process_has_trained_it(tmp_path, capsys):
    threading.Timer(1.5, runs.give_back, [runs.hold(tmp_path)]).start()
    lock = hold_when_free(tmp_path)
    assert "another process is training it" in capsys.readouterr().out
    threading.Timer(1.5, os.kill, [os.getpid(), signal.SIGTERM]).start()
    with pytest.raises(RunFailed, match="stopped by SIGTERM") as stopped:
        hold_when_free(tmp_path)
    assert stopped.value.status == 143
    os.close(lock)


def test_a_job_of_another_process_ends_when_its_sweep_says_so_and_not_before(tmp_path):
    """By the handler of SIGINT, although the signal itself is blocked, as Ray does."""
    before = signal.getsignal(signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with stopped_with_sweep(SweepJob(0, tmp_path, "Ray")):
            sweeps.stop(SweepJob(1, tmp_path, "Ray"), 143)  # another job had a signal; this one trains on
            time.sleep(1)
        (tmp_path / ".save").touch()
        for launcher in ("Basic", "Joblib"):
            with stopped_with_sweep(SweepJob(0, tmp_path, launcher)):
                time.sleep(0.5)
        with (
            pytest.raises(RunFailed, match="stopped by SIGINT") as stopped,
            stopped_with_sweep(SweepJob(0, tmp_path, "Local")),
        ):
            work(seconds=5)
    finally:
        after = signal.signal(signal.SIGINT, signal.SIG_IGN)  # another test may have sent one to all processes here
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, before)
    assert (stopped.value.status, after) == (130, before)


def test_a_job_ends_in_the_same_way_when_its_sweep_says_so_as_it_begins_or_ends(tmp_path):
    (tmp_path / ".save").touch()
    ends = set()
    for _ in range(20):
        try:
            with stopped_with_sweep(SweepJob(0, tmp_path, "Local")):
                pass
        except BaseException as error:  # a KeyboardInterrupt would end pytest
            ends.add(str(error) if isinstance(error, RunFailed) else repr(error))
    assert ends == {"stopped by SIGINT"}


def work(seconds):
    """Like time.sleep, which is not ended by a handler that no signal has called."""
    for _ in range(seconds * 20):
        time.sleep(0.05)


def completed_with(folder, cfg):
    return job_of(folder, "job", ["seed=1"], status="completed", config=config.numeric(cfg))


FOLDER = ["data=image_folder", "data.data_dir=/a"]


@pytest.mark.parametrize(
    ("before", "now", "difference"),
    [
        (["+optimizer.amsgrad=true"], [], "optimizer.amsgrad=True, which is now None"),
        (FOLDER, [*FOLDER, "data.data_dir=/b"], "data.data_dir=/a, which is now /b"),
        ([], ["callbacks.early_stopping.enabled=true"], "callbacks.early_stopping.enabled=False, which is now True"),
        (["objective_mode=min"], [], "objective_mode=min, which is now max"),
        ([], ["top5=true"], "top5=False, which is now True"),
        ([], ["on_nan=rewind"], "on_nan=stop, which is now rewind"),
        (["test=false"], [], "test=False, which is now True"),
    ],
)
@pytest.mark.slow
def test_a_finished_job_with_another_config_is_refused(before, now, difference, tmp_path):
    job = completed_with(tmp_path, composed(*before))
    assert resume_job(asked(*before, folder=job))[1]
    with pytest.raises(ConfigError, match=re.escape(f"job was trained with {difference}: use another")):
        resume_job(asked(*now, folder=job))


def test_the_same_data_set_in_another_folder_is_the_same_config(tmp_path):
    stopping = "callbacks.early_stopping.enabled=true"
    cfg = composed(stopping)
    cfg.objective_mode = "max"  # as training fills it in
    assert resume_job(asked("data.data_dir=/b", stopping, folder=completed_with(tmp_path, cfg)))[1]


@pytest.mark.slow
def test_settings_that_published_weights_fill_in_are_the_same_config(tmp_path):
    overrides = [*FOLDER, "model=googlenet", "model.pretrained=true"]
    run = asked(*overrides)
    run = run.settled(**weights.settings_for_pretrained(run, SimpleNamespace(input_shape=(3, 224, 224))))
    job = completed_with(tmp_path, run.cfg)
    assert resume_job(asked(*overrides, folder=job))[1]
    for change in ("data.image_size=100", "data.normalize=false", "model.head=append", "model.pretrained=false"):
        with pytest.raises(ConfigError, match="was trained with"):
            resume_job(asked(*overrides, change, folder=job))
    (job / "result.json").unlink()
    (job / ".hydra/config.yaml").touch()
    (job / "checkpoints").mkdir()
    progress = {"fit_loop": {"epoch_progress": {"current": {"processed": 1}}}}
    saved = {"litlab": {"config": run.plain(), "data": {"preprocess": {"resizer": "torch"}}}, "loops": progress}
    torch.save(saved, job / "checkpoints/last.ckpt")
    again, result = resume_job(asked(*overrides, folder=job))
    assert (again.checkpoint, result) == (job / "checkpoints/last.ckpt", None)
    assert again.plain() == restore_settings(asked(*overrides), saved).plain() == run.plain()


@pytest.mark.slow
def test_an_interrupted_job_keeps_its_halved_learning_rate(tmp_path):
    run, asked = tmp_path / "run", ["optimizer.lr=0.25", "scheduler=cosine", "trainer.max_epochs=8"]
    record_run(run, *asked, stop_at(230), base=LINE)
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(run)
    shutil.rmtree(run / ".hydra")
    cfg = record_run(run, *asked, base=LINE)  # as Hydra does when the sweep is repeated
    goes_on, _ = resume_job(Run(cfg, run, asked))
    assert goes_on.checkpoint == run / "checkpoints/last.ckpt"
    assert goes_on.cfg.rewinds == 1


def test_a_job_that_was_refused_goes_on_and_one_that_failed_begins_anew(tmp_path):
    run = tmp_path / "run"
    cfg = record_run(run, "trainer.max_epochs=2", "trainer.accelerator=gpu", base=LINE)
    train_recorded(run, "trainer.accelerator=cpu")
    for failed, goes_on_from in (({}, run / "checkpoints/last.ckpt"), ({"epochs": 2}, None)):
        (run / "result.json").write_text(json.dumps({"status": "failed", "error": "no GPU"} | failed))
        goes_on, result = resume_job(Run(cfg, run))
        assert (goes_on.checkpoint, result) == (goes_on_from, None)
