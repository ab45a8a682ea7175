import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from scripts import REPOSITORY, composed

from litlab import config
from litlab.errors import ConfigError

CONF = REPOSITORY / "conf"
BEFORE = ["model=mlp", "model.hidden=[50]", "optimizer.lr=0.1", "callbacks.early_stopping.enabled=true"]


@pytest.fixture
def run(tmp_path) -> Path:
    """A run folder as Hydra makes it."""
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(composed(*BEFORE), tmp_path / ".hydra/config.yaml")
    OmegaConf.save(OmegaConf.create(BEFORE), tmp_path / ".hydra/overrides.yaml")
    return tmp_path


def files(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run / ".hydra").iterdir()}


def test_without_overrides_it_is_the_recorded_config(run):
    cfg, overrides = config.compose_again(run, [], CONF, "train")
    assert cfg == composed(*BEFORE)
    assert overrides == BEFORE


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config", b"a: [1\n", ", line 2: expected ',' or ']', but got '<stream end>'"),
        ("config", b"", ": data is missing"),
        ("config", b"- a\n", ": data is missing"),
        ("config", b"data: {}\nmodel: {}\noptimizer: {}\n", ": trainer is missing"),
        ("config", b"\xff", ": 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ("overrides", b"a: 1\n", ": it is no list"),
        ("overrides", None, ": no such file"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_left_of_the_run(run, monkeypatch, name, content, said):
    monkeypatch.chdir(run)
    path = run / f".hydra/{name}.yaml"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    wrong = f".hydra/{name}.yaml{said}; repair the file, or begin a new run"
    with pytest.raises(ConfigError, match=f"^{re.escape(wrong)}$"):
        config.compose_again(run, [], CONF, "train")
    (run / "checkpoints").mkdir()
    (run / "checkpoints/last.ckpt").touch()
    with pytest.raises(ConfigError, match=f"^{re.escape(wrong)} with model.weights=checkpoints/last.ckpt$"):
        config.compose_again(run, [], CONF, "train")


def test_only_the_keys_of_the_overrides_change_whatever_conf_says_today(run):
    recorded = OmegaConf.load(run / ".hydra/config.yaml")
    recorded.optimizer.weight_decay = 0.25  # as if conf/ had another value at that time
    OmegaConf.save(recorded, run / ".hydra/config.yaml")
    cfg, overrides = config.compose_again(run, ["optimizer.lr=0.5", "+data.note=new"], CONF, "train")
    assert (cfg.optimizer.lr, cfg.optimizer.weight_decay, cfg.data.note) == (0.5, 0.25, "new")
    cfg.optimizer.lr = 0.1
    del cfg.data.note
    assert cfg == recorded
    assert overrides == [*(o for o in BEFORE if not o.startswith("optimizer.lr")), "optimizer.lr=0.5", "+data.note=new"]


def test_another_logger_takes_the_place_of_those_before(run):
    cfg, _ = config.compose_again(run, ["logger=csv", "~callbacks.early_stopping"], CONF, "train")
    assert list(cfg.logger) == ["csv"]
    assert "early_stopping" not in cfg.callbacks
    assert "progress" in cfg.callbacks


def test_another_option_of_a_group_brings_its_own_settings(run):
    cfg, _ = config.compose_again(run, ["scheduler=step"], CONF, "train")
    assert set(cfg.scheduler) == set(OmegaConf.load(CONF / "scheduler/step.yaml"))


def test_a_new_learning_rate_is_not_halved_by_earlier_rewinds(run):
    recorded = OmegaConf.load(run / ".hydra/config.yaml")
    recorded.rewinds, recorded.rewound_to = 2, 10
    OmegaConf.save(recorded, run / ".hydra/config.yaml")
    kept, _ = config.compose_again(run, ["trainer.max_epochs=9"], CONF, "train")
    assert (kept.rewinds, kept.rewound_to) == (2, 10)
    anew, _ = config.compose_again(run, ["optimizer.lr=0.01"], CONF, "train")
    assert not {"rewinds", "rewound_to"} & set(anew)


@pytest.mark.parametrize("override", ["hydra.run.dir=elsewhere", "+hydra.job.chdir=true"])
def test_a_resumed_run_stays_in_its_folder(run, override):
    with pytest.raises(ConfigError, match="resume= goes on in the run's own folder: leave out hydra.* overrides"):
        config.compose_again(run, [override], CONF, "train")


@pytest.mark.parametrize(
    ("earlier", "later", "both"),
    [
        (["a=1", "b=2"], ["a=3"], ["b=2", "a=3"]),
        (["+a=1"], ["~a"], ["~a"]),
        (["model@net=mlp"], ["model=lenet5"], ["model=lenet5"]),
        (["a=1"], ["b=a=1"], ["a=1", "b=a=1"]),
        (
            ["trainer=ddp_cpu", "trainer.devices=4", "trainer.strategy=fsdp", "trainer.max_epochs=3"],
            ["trainer=cpu"],
            ["trainer.max_epochs=3", "trainer=cpu"],
        ),
        (["trainer.devices=4"], ["trainer=ddp_cpu", "trainer.devices=3"], ["trainer=ddp_cpu", "trainer.devices=3"]),
    ],
)
def test_a_later_override_takes_the_place_of_an_earlier_one(earlier, later, both):
    assert config.combine(earlier, later) == both


def test_a_record_can_be_put_back(run):
    before = files(run)
    put_back = config.record(run, composed("seed=7"), ["seed=7"])
    recorded, overrides = config.read_recorded(run)
    assert (recorded.seed, overrides) == (7, ["seed=7"])
    put_back()
    assert files(run) == before


def test_a_record_that_cannot_be_written_leaves_both_files_as_they_were(run, monkeypatch):
    """The first file can be written, and the second cannot."""
    before = files(run)
    replace = Path.replace

    def full(self, target):
        if Path(target).name == "overrides.yaml":
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigError, match=f"^{run}: cannot be written to: No space left on device$"):
        config.record(run, composed("seed=7"), ["seed=7"])
    assert files(run) == before
