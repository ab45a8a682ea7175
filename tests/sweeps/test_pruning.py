import lightning
import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf
from sweep_folders import job_of

from litlab import sweeps
from litlab.callbacks import Prune
from litlab.data import MNISTSample
from litlab.modules import Classification
from litlab.networks import MLP
from litlab.sweeps.pruning import METHODS, check_pruning, make_pruner


def test_pruning_sees_the_value_of_this_epoch_of_training_too():
    seen = []
    prune = Prune("train/loss", lambda epochs, value: seen.append((epochs, value)) or epochs == 2)
    module = Classification(MLP(hidden=[8]), 10)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=4, logger=False, callbacks=[prune], enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(module, MNISTSample(train_limit=128))
    assert seen == [(1, module.history["train/loss"][0][1]), (2, module.history["train/loss"][1][1])]
    assert prune.pruned


def test_a_run_without_a_study_is_never_pruned(tmp_path):
    assert sweeps.compared_with_others(job_of(tmp_path, "a", ["optimizer.lr=0.1"]), 4) is None


@pytest.fixture
def study(tmp_path):
    """A study with two trials that have ended, and one that runs, in the folder of a sweep."""
    optuna = pytest.importorskip("optuna")
    from litlab.sweeps.study import NAME, storage_of

    study = optuna.create_study(storage=storage_of(tmp_path), study_name=NAME, direction="maximize")
    for lr in (0.1, 0.2):
        trial = study.ask({"optimizer.lr": optuna.distributions.FloatDistribution(lr, lr)})
        for epoch in (1, 2):
            trial.report(0.8, epoch)
        study.tell(trial, 0.8)
    study.ask({"optimizer.lr": optuna.distributions.FloatDistribution(0.3, 0.3)})
    return study


def write_sweep(folder, prune):
    sweeper = {"prune": prune, "prune_after_trials": 2, "prune_after_epochs": 1}
    OmegaConf.save(OmegaConf.create({"hydra": {"sweeper": sweeper}}), folder / "multirun.yaml")


def test_a_running_trial_is_compared_with_the_median_of_the_others(study, tmp_path):
    write_sweep(tmp_path, prune=True)
    hopeless = sweeps.compared_with_others(job_of(tmp_path, "a", ["model=mlp", "optimizer.lr=0.3"]), 4)
    assert [hopeless(1, 0.9), hopeless(2, 0.9)] == [False, False]
    assert hopeless(2, 0.5) is False, "an epoch that is reported again keeps its value"
    assert hopeless(3, 0.5) is False, "the others have no third epoch"
    again = sweeps.compared_with_others(tmp_path / "a", 4)  # the job goes on in another process
    assert again(1, 0.1) is False
    assert study.trials[2].intermediate_values == {1: 0.9, 2: 0.9, 3: 0.5}


def test_a_trial_that_is_worse_gives_up(study, tmp_path):
    write_sweep(tmp_path, prune=True)
    hopeless = sweeps.compared_with_others(job_of(tmp_path, "a", ["optimizer.lr=0.3"]), 4)
    assert hopeless(2, 0.5) is True


def test_only_the_trial_itself_is_pruned(study, tmp_path):
    """Not a job that has ended, which the user resumes."""
    write_sweep(tmp_path, prune=True)
    assert sweeps.compared_with_others(job_of(tmp_path, "a", ["optimizer.lr=0.1"]), 4) is None


def test_without_pruning_the_values_of_each_epoch_are_in_the_study_too(study, tmp_path):
    write_sweep(tmp_path, prune=False)
    hopeless = sweeps.compared_with_others(job_of(tmp_path, "a", ["optimizer.lr=0.3"]), 4)
    assert [hopeless(1, 0.1), hopeless(2, 0.2)] == [False, False]
    assert study.trials[2].intermediate_values == {1: 0.1, 2: 0.2}


def test_a_trial_that_was_told_to_give_up_is_told_so_again(study, tmp_path):
    """Its process may have been killed in between. Optuna itself would compare it at the next rung."""
    optuna = pytest.importorskip("optuna")
    write_sweep(tmp_path, prune="asha")
    values = {0.3: 0.9, 0.4: 0.1}
    study.ask({"optimizer.lr": optuna.distributions.FloatDistribution(0.4, 0.4)})
    for lr, value in values.items():
        hopeless = sweeps.compared_with_others(job_of(tmp_path, f"lr={lr}", [f"optimizer.lr={lr}"]), 9)
        assert [hopeless(1, value), hopeless(1, value)] == [value == 0.1] * 2


@pytest.mark.parametrize(
    ("prune", "after", "factor", "said"),
    [
        ("best", 1, 3, "hydra.sweeper.prune=best: must be false or median, asha, hyperband"),
        ("asha", 0, 3, "hydra.sweeper.prune_after_epochs=0: must be at least 1"),
        ("asha", "abc", 3, "hydra.sweeper.prune_after_epochs=abc: must be a whole number"),
        ("asha", 1, 1.5, "hydra.sweeper.reduction_factor=1.5: must be a whole number"),
        ("asha", 1, 1, "hydra.sweeper.reduction_factor=1: must be at least 2"),
    ],
)
def test_wrong_settings_of_pruning_are_refused(prune, after, factor, said):
    with pytest.raises(HydraException, match=f"^{said}$"):
        check_pruning(prune, METHODS, after, factor)


def test_hyperband_needs_the_length_of_a_trial():
    pytest.importorskip("optuna")
    sweeper = OmegaConf.create({"prune": "hyperband", "prune_after_epochs": 1})
    with pytest.raises(HydraException, match="needs one trainer.max_epochs"):
        make_pruner(sweeper, None)
