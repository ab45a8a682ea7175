"""A repeated sweep does not train a config again that one of its finished jobs has."""

import pytest
from omegaconf import OmegaConf
from sweep_folders import SWEEP, job_of, rows, scored

from litlab.sweeps.folders import USUAL_SUBDIR
from litlab.sweeps.trained_before import trained_before


def config_of(overrides, **more):
    """The config of a job: the defaults, and what its overrides say."""
    cfg = OmegaConf.create({"hydra": {"job": {"num": "???"}}, "seed": 42, "optimizer": {"lr": 0.001}, **more})
    return OmegaConf.merge(cfg, OmegaConf.from_dotlist([o for o in overrides if "seed" in o or "optimizer" in o]))


def done(sweep, folder, overrides, result=None, **more):
    """The folder of a job as its training leaves it."""
    cfg = config_of(overrides, **more)
    del cfg["hydra"]
    OmegaConf.save(cfg, job_of(sweep, folder, overrides, **(result or scored(0.5))) / ".hydra/config.yaml")


NEW = [["optimizer.lr=0.001", "seed=42"], ["seed=1"], ["optimizer.lr=1e-3"], ["optimizer.lr=0.002"]]


def test_a_job_with_the_config_of_a_finished_one_was_trained_before(tmp_path):
    done(tmp_path, "lr", ["optimizer.lr=0.001"], name="mine")  # of the sweep
    done(tmp_path, "one", ["optimizer.lr=0.001", "seed=1"])
    # `optimizer.lr=1e-3` is a job of the sweep, which says so itself
    assert trained_before(NEW, tmp_path, USUAL_SUBDIR, config_of) == {tuple(NEW[0]): "lr", tuple(NEW[1]): "one"}
    assert trained_before(NEW, tmp_path, "${hydra.job.num}", config_of) == {}


@pytest.mark.parametrize("status", ["failed", "interrupted", "pruned"])
def test_a_job_that_is_not_finished_spares_no_other(tmp_path, status):
    done(tmp_path, "lr", ["optimizer.lr=0.001"], scored(0.5) | {"status": status})
    assert trained_before(NEW, tmp_path, USUAL_SUBDIR, config_of) == {}


@pytest.mark.parametrize(
    "more", [{"ema": 0.9}, {"test": False}, {"note": "${hydra:job.num}"}, {"note": "x ${oc.env:HOME}"}]
)
def test_a_config_that_differs_or_depends_on_more_is_trained(tmp_path, more):
    done(tmp_path, "lr", ["optimizer.lr=0.001"], **more)
    now = {} if "note" not in more else more
    assert trained_before(NEW, tmp_path, USUAL_SUBDIR, lambda job: config_of(job, **now)) == {}


def test_a_lost_or_damaged_config_spares_no_training(tmp_path):
    done(tmp_path, "a", ["optimizer.lr=0.001"])
    (tmp_path / "a/.hydra/config.yaml").write_text("seed: [")
    done(tmp_path, "b", ["optimizer.lr=0.001", "seed=1"])
    (tmp_path / "b/.hydra/config.yaml").unlink()
    assert trained_before(NEW, tmp_path, USUAL_SUBDIR, config_of) == {}


@pytest.mark.slow
def test_a_sweep_over_other_settings_trains_only_what_is_new(train_here, tmp_path):
    few = [*SWEEP, "data.train_limit=64", "model=mlp", "threads=1", "test=false"]
    assert train_here(*few, "optimizer.lr=0.001,0.003").status == 0
    repeated = train_here(*few, "optimizer.lr=0.001", "seed=42,1")
    assert (repeated.status, repeated.err) == (0, "")
    assert "seed=42: finished before as optimizer.lr=0.001, not run again\njob 1 of 1: seed=1\n" in repeated.out
    default = train_here(*few)
    assert default.out.startswith("this job: finished before as optimizer.lr=0.001, not run again\n")
    assert "sweep         3 of 3 jobs completed\n" in default.out
    assert [row["folder"] for row in sorted(rows(tmp_path), key=lambda row: row["folder"])] == [
        *("optimizer.lr=0.001", "optimizer.lr=0.001,seed=1", "optimizer.lr=0.003")
    ]
