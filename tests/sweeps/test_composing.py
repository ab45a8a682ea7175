"""The configs of jobs are those that Hydra composes, however they were made."""

import pickle

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import OmegaConf
from scripts import REPOSITORY

from litlab.cli.folders import NewFolders, register
from litlab.sweeps import composing
from litlab.sweeps.composing import SweepConfigLoader

JOBS = [
    ["optimizer.lr=0.1", "seed=1"],
    ["optimizer.lr=1e-3", "seed=2"],
    ["seed=3", "optimizer.lr=0.1"],
    ["optimizer.lr=0.1", "seed=1", "model=mlp"],
    ["optimizer.lr=0.2", "seed=2", "model=mlp"],
    ["optimizer.lr=0.2", "seed=2", "model=vit"],
    ["optimizer.lr=0.1", "data.augment=[random_crop]"],
    ["optimizer.lr=0.2", "data.augment=[cutout]"],
    ["name='a b=c'", "optimizer.lr=null"],
    ["name=d", "optimizer.lr=true"],
    ["optimizer.lr=${model.dropout}", "seed=1"],
    ["optimizer.lr=${seed}", "seed=4"],
    ["+new=1", "seed=1"],
    ["+new=2", "seed=2"],
    ["~scheduler", "seed=1"],
    ["optimizer=sgd", "optimizer.lr=0.1", "hydra.sweep.subdir='x,y'"],
    ["optimizer=sgd", "optimizer.lr=0.2", "hydra.sweep.subdir='z'"],
    ["experiment=mnist_mlp", "seed=1"],
    ["experiment=mnist_mlp", "seed=2"],
]


class Counted:
    """Hydra's loader, which counts what it composes."""

    def __init__(self, loader):
        self.loader, self.composed = loader, 0

    def __getattr__(self, name):
        if name == "loader":
            raise AttributeError(name)
        return getattr(self.loader, name)

    def load_sweep_config(self, *arguments):
        self.composed += 1
        return self.loader.load_sweep_config(*arguments)


@pytest.fixture
def hydras():
    """Hydra's loader, and the config of a sweep."""
    register(NewFolders())
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        of_hydra = [
            "hydra.job.config.override_dirname.exclude_keys=[seed]",
            "hydra.output_subdir='${record_folder:${hydra.runtime.output_dir}}'",  # known in a job only
        ]
        sweep = loader.load_configuration("train", ["optimizer.lr=1,2", *of_hydra], run_mode=RunMode.MULTIRUN)
        yield loader, sweep


def whole(config):
    return OmegaConf.to_yaml(config), OmegaConf.is_struct(config), OmegaConf.is_readonly(config.hydra)


@pytest.mark.slow
def test_every_job_has_the_config_that_hydra_composes(hydras, monkeypatch):
    loader, sweep = hydras
    of_hydra = [whole(loader.load_sweep_config(sweep, job)) for job in JOBS]
    for order in (1, -1):
        monkeypatch.setattr(composing, "_configs", {})
        ours = SweepConfigLoader(loader)
        for job, expected in list(zip(JOBS, of_hydra, strict=True))[::order]:
            config = ours.load_sweep_config(sweep, job)
            assert whole(config) == expected, job
            config.optimizer.lr = 17  # as a job may do with its own


def test_jobs_with_the_same_options_are_composed_once(hydras, monkeypatch):
    monkeypatch.setattr(composing, "_configs", {})  # those of other tests in this process would fill it
    loader, sweep = hydras
    counted = Counted(loader)
    ours = SweepConfigLoader(counted)
    for seed in range(5):
        ours = pickle.loads(pickle.dumps(ours))  # as joblib does for each job
        counted = ours.loader
        ours.load_sweep_config(sweep, [f"seed={seed}", "model=mlp"])
        ours.load_sweep_config(sweep, [f"seed={seed}", "model=vit"])
    assert counted.composed == 2


def test_a_sweep_does_not_take_the_configs_of_another_one(hydras):
    loader, sweep = hydras
    counted = Counted(loader)
    for _ in range(2):
        SweepConfigLoader(counted).load_sweep_config(sweep, ["seed=1"])
    assert counted.composed == 2


def test_a_key_that_is_not_there_is_refused_as_by_hydra(hydras):
    loader, sweep = hydras
    ours = SweepConfigLoader(loader)
    for _ in range(2):
        with pytest.raises(ConfigCompositionException, match="Could not override 'optimizer.rate'"):
            ours.load_sweep_config(sweep, ["optimizer.rate=1"])
