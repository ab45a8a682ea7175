"""A job of a sweep, when the command of its sweep is repeated."""

import os
import re
import signal
import threading
from types import SimpleNamespace

import pytest
import torch
from scripts import asked, composed
from sweep_folders import job_of

from litlab import config, runs
from litlab.errors import ConfigError, RunFailed
from litlab.training import jobs, weights
from litlab.training.resume import settle_as_before


def test_a_job_waits_for_another_process_that_trains_it(tmp_path, capsys):
    threading.Timer(1.5, os.close, [runs.hold(tmp_path)]).start()
    lock = jobs.hold_job(tmp_path)
    assert "another process is training it" in capsys.readouterr().out
    threading.Timer(1.5, os.kill, [os.getpid(), signal.SIGTERM]).start()
    with pytest.raises(RunFailed, match="stopped by SIGTERM") as stopped:
        jobs.hold_job(tmp_path)
    assert stopped.value.status == 143
    os.close(lock)


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
def test_a_finished_job_with_another_config_is_refused(before, now, difference, tmp_path):
    job = completed_with(tmp_path, composed(*before))
    assert jobs.take_up(asked(*before, folder=job))[1]
    with pytest.raises(ConfigError, match=re.escape(f"job was trained with {difference}: use another")):
        jobs.take_up(asked(*now, folder=job))


def test_another_cache_of_the_same_data_set_is_no_other_config(tmp_path):
    stopping = "callbacks.early_stopping.enabled=true"
    cfg = composed(stopping)
    cfg.objective_mode = "max"  # as training fills it in
    assert jobs.take_up(asked("data.data_dir=/b", stopping, folder=completed_with(tmp_path, cfg)))[1]


def test_what_published_weights_fill_in_is_no_other_config(tmp_path):
    overrides = [*FOLDER, "model=googlenet", "model.pretrained=true"]
    run = asked(*overrides)
    run = run.settled(**weights.wanted_by_published(run, SimpleNamespace(input_shape=(3, 224, 224))))
    job = completed_with(tmp_path, run.cfg)
    assert jobs.take_up(asked(*overrides, folder=job))[1]
    for change in ("data.image_size=100", "data.normalize=false", "model.head=append", "model.pretrained=false"):
        with pytest.raises(ConfigError, match="was trained with"):
            jobs.take_up(asked(*overrides, change, folder=job))
    (job / "result.json").unlink()
    (job / ".hydra/config.yaml").touch()
    (job / "checkpoints").mkdir()
    progress = {"fit_loop": {"epoch_progress": {"current": {"processed": 1}}}}
    saved = {"litlab": {"config": run.plain()}, "loops": progress}
    torch.save(saved, job / "checkpoints/last.ckpt")
    again, result = jobs.take_up(asked(*overrides, folder=job))
    assert (again.checkpoint, result) == (job / "checkpoints/last.ckpt", None)
    assert again.plain() == settle_as_before(asked(*overrides), saved).plain() == run.plain()
