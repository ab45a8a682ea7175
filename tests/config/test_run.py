import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import ReadonlyConfigError
from scripts import asked, composed

from litlab.config import Run, SweepJob, changed, restored, select


def test_the_config_of_a_run_cannot_be_written():
    run = asked("seed=1")
    with pytest.raises(ReadonlyConfigError):
        run.cfg.seed = 2
    with pytest.raises(AttributeError):
        run.resumed = True


def test_other_settings_are_another_run():
    run = asked("seed=1")
    other = run.settled(**{"seed": 2, "data.batch_size": 8, "data.augment": ["cutout"], "new.key": 3})
    assert (other.cfg.seed, other.cfg.data.batch_size, other.cfg.data.augment) == (2, 8, ["cutout"])
    assert other.get("new.key") == 3
    assert (run.cfg.seed, run.get("new.key", "none")) == (1, "none")
    assert run.settled() is run
    assert run.from_checkpoint(Path("a.ckpt")).checkpoint == Path("a.ckpt")


@pytest.mark.parametrize(
    "job", [None, SweepJob(number=3, folder=Path("runs/s"), launcher="Joblib", jobs_at_once=2, cores=4)]
)
def test_a_run_is_the_same_in_another_process(job):
    run = asked("model=mlp", "data.data_dir=${hydra:runtime.cwd}", folder=Path("runs/a"), resumed=True, job=job)
    run = run.from_checkpoint(Path("runs/a/last.ckpt"))
    there = Run.from_plain(json.loads(json.dumps(run.to_plain())))
    assert there == run
    assert OmegaConf.to_container(there.cfg) == OmegaConf.to_container(run.cfg), "interpolations are not resolved"


def test_a_config_is_read_by_its_keys():
    cfg = composed("optimizer.lr=0.25")
    assert select(cfg, "optimizer.lr") == 0.25
    assert select(cfg, "optimizer.none.at.all", default="nothing") == "nothing"
    assert restored({"a": {"b": 1}}).a.b == 1
    assert changed(cfg, {"optimizer": {"lr": 1}}).optimizer == {"lr": 1}
