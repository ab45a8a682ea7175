import pytest
from omegaconf import OmegaConf
from scripts import QUICK, REPOSITORY, composed

from litlab.cli.runs import as_resumed
from litlab.errors import ConfigError

CONF = REPOSITORY / "conf"


@pytest.fixture
def recorded(tmp_path):
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(composed("seed=7"), tmp_path / ".hydra/config.yaml")
    OmegaConf.save(OmegaConf.create(["seed=7"]), tmp_path / ".hydra/overrides.yaml")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/best.ckpt").touch()
    return tmp_path


def test_a_resumed_run_has_its_own_folder_and_config(recorded):
    run = as_resumed(["trainer.max_epochs=9", f"resume={recorded}"], CONF, "train")
    assert (run.folder, run.resumed, run.checkpoint, run.job) == (recorded, True, None, None)
    assert (run.cfg.seed, run.cfg.trainer.max_epochs) == (7, 9)
    assert run.overrides == ["seed=7", "trainer.max_epochs=9"]
    best = recorded / "checkpoints/best.ckpt"
    assert as_resumed([f"resume={best}"], CONF, "train").checkpoint == best


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-m", "resume=a"], "^resume=a goes with overrides only, not with -m$"),
        (["resume=a", "name=b"], "^name=b: a run that is resumed keeps its name; leave it out$"),
        (["resume=a", "resume=b"], "^resume=a and resume=b: there can be one only$"),
        (["resume=a"], "^resume=a: no such run folder or checkpoint"),
    ],
)
def test_what_does_not_go_with_resume_is_one_line(arguments, message):
    with pytest.raises(ConfigError, match=message):
        as_resumed(arguments, CONF, "train")


def test_no_run_is_resumed_by_null(train_here):
    """As the setting stands in conf/train.yaml."""
    done = train_here(*QUICK, "model=mlp", "summary=true", "resume=null")
    assert (done.status, done.err) == (0, "")
