"""A project of one's own works as litlab's own configs and networks do."""

import shutil

import pytest
from litlab_command import call
from omegaconf import OmegaConf
from scripts import asked

from litlab.config import Run
from litlab.project import Project

FIRST = ("experiment=first", "trainer=cpu", "callbacks.report.enabled=false", "data.train_limit=64")

SWEEP = ("-m", *FIRST, "trainer.max_epochs=1", "seed=1,2", "hydra.sweep.dir=runs/sweep")


@pytest.fixture(scope="module")
def trained(project):
    """The project after a sweep of two jobs."""
    done = call(project, "train", *SWEEP)
    assert done.returncode == 0, done.stderr
    assert "repeat it     litlab train experiment=first" in done.stdout
    return project


def test_help_lists_own_options_beside_those_of_litlab(litlab_here, project):
    out = litlab_here(project, "train", "--help").out
    for line in ("  first                The first experiment", "  tiny ", "  lines ", "  mnist_cnn ", "  resnet18 "):
        assert f"\n{line}" in out
    assert "litlab train -m optimizer.lr=0.001,0.01,0.1 runs a sweep" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model=tinny"], "model=tinny: no such option; did you mean tiny? there is: alexnet"),
        (["experiment=fist"], "experiment=fist: no such option; did you mean first? there is: cifar100_resnet18"),
        (["model=tiny", "model.chanels=3"], "model.chanels is unknown; model: did you mean channels?"),
        (["model=tiny", "model.channels=x"], "model.channels=x: must be an integer"),
    ],
)
def test_a_typo_in_an_own_option_gets_its_suggestion(litlab_here, project, arguments, said):
    done = litlab_here(project, "train", *arguments)
    assert (done.status, done.err.count("\n")) == (2, 1), done.err
    assert done.err.startswith(f"error: {said}")


@pytest.mark.slow
def test_jobs_of_a_sweep_find_what_is_own(trained):
    assert len(list(trained.glob("runs/sweep/*/result.json"))) == 2


@pytest.mark.slow
def test_a_sweep_over_own_data_can_be_gone_on_with(trained):
    done = call(trained, "train", *SWEEP)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished before, not run again") == 2


@pytest.mark.slow
def test_a_run_with_an_own_experiment_goes_on_with_other_settings(litlab_here, trained):
    done = litlab_here(trained, "train", "resume=runs/sweep/seed=1", "trainer.max_epochs=2")
    assert done.status == 0, done.err
    assert "completed after 2 epochs" in done.out
    assert "use it        litlab predict ckpt=runs/sweep/seed=1 input=IMAGE" in done.out


@pytest.mark.slow
def test_predict_uses_an_own_network_where_the_project_trusts_it(litlab_here, trained):
    arguments = ("predict", "ckpt=runs/sweep/seed=2", "evaluate=test", "trainer=cpu", "output=out")
    assert litlab_here(trained, *arguments).status == 0
    refused = litlab_here(trained, *arguments, "trust=[]")
    assert refused.status == 2
    assert "ownlab.networks.Tiny is not in litlab.networks" in refused.err
    assert "add trust=[ownlab]" in refused.err


@pytest.mark.slow
def test_predict_imports_nothing_from_the_current_folder_unasked(trained, tmp_path):
    """Neither to rebuild the network, nor what a module of that name would hide, nor by a config of the folder."""
    shutil.copy(trained / "runs/sweep/seed=2/checkpoints/best.ckpt", tmp_path / "best.ckpt")
    for name in ("ownlab", "torch", "yaml", "safetensors", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "conf/trainer").mkdir(parents=True)
    evil = "_target_: os.system\ncommand: touch stolen\n"
    (tmp_path / "conf/trainer/cpu.yaml").write_text(evil)
    (tmp_path / "conf/predict.yaml").write_text(evil)
    done = call(tmp_path, "predict", "ckpt=best.ckpt", "evaluate=test", "trainer=cpu")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: best.ckpt: ownlab.networks.Tiny is not in litlab.networks")
    assert not (tmp_path / "stolen").exists()


def test_a_run_takes_the_project_to_other_processes(tmp_path):
    run = asked("data=fake", folder=tmp_path, project=Project(tmp_path))
    assert Run.from_plain(run.to_plain()).project == Project(tmp_path)
    assert Run.from_plain(asked("data=fake").to_plain()).project is None


@pytest.mark.slow
def test_a_folder_given_by_config_dir_is_remembered(litlab_here, tmp_path):
    (tmp_path / "more/experiment").mkdir(parents=True)
    text = "# @package _global_\ndefaults:\n  - override /model: mlp\nseed: 3\n"
    (tmp_path / "more/experiment/mine.yaml").write_text(text)
    quick = ["data=mnist_sample", "data.train_limit=64", "trainer=cpu", "callbacks.report.enabled=false", "test=false"]
    begun = litlab_here(tmp_path, "train", "--config-dir", "more", "experiment=mine", *quick, "trainer.max_epochs=1")
    assert begun.status == 0, begun.err
    assert "more" in (begun.runs[0] / ".hydra/hydra.yaml").read_text()
    resumed = litlab_here(tmp_path, "train", "resume=latest", "trainer.max_epochs=2")
    assert resumed.status == 0, resumed.err
    assert OmegaConf.load(resumed.runs[0] / ".hydra/config.yaml").seed == 3
    refused = litlab_here(tmp_path, "train", "--config-dir", "more", "experiment=min")
    assert refused.err.startswith("error: experiment=min: no such option; did you mean mine?")
