import pytest
from hydra.errors import HydraException

from litlab.sweeps import study as studies

optuna = pytest.importorskip("optuna")
Floats = optuna.distributions.FloatDistribution
SPACE = {"optimizer.lr": Floats(0.1, 1)}
ABOUT = {"mode": "max", "settings": {"seed": 1, "data.batch_size": 64}, "searched": ["optimizer.lr"]}


@pytest.fixture
def storage(tmp_path):
    return studies.storage_of(tmp_path)


@pytest.fixture
def study(storage):
    return optuna.create_study(storage=storage, study_name=studies.NAME)


def test_a_trial_that_has_begun_goes_on(study, storage, tmp_path):
    """With the value that was chosen before, and to its end."""
    optuna.create_study(storage=storage, study_name="another").ask()  # so that IDs and numbers differ
    done, begun = study.ask(), study.ask()
    chosen = begun.suggest_float("a", 0, 1)
    study.tell(done, 0.5)
    elsewhere = studies.storage_of(tmp_path)  # as in another process
    again = optuna.load_study(study_name=studies.NAME, storage=elsewhere)
    (running,) = studies.running_trials(again)
    assert (running.number, running.params) == (1, {"a": chosen})
    trial = studies.go_on_with(again, elsewhere, running.number)
    assert trial.suggest_float("a", 0, 1) == chosen
    trial.report(0.25, 1)
    again.tell(trial, 0.25)
    assert studies.running_trials(again) == []
    assert [trial.value for trial in again.trials] == [0.5, 0.25]
    assert again.trials[1].intermediate_values == {1: 0.25}


def test_public_ways_begin_a_new_trial(study):
    """If this fails, a new Optuna may have a way to go on with a trial."""
    study.ask()
    study.enqueue_trial({"a": 0.5})
    assert study.ask(SPACE).number == 1
    assert len(studies.running_trials(study)) == 2


def test_a_study_is_known_by_its_file(tmp_path):
    assert not studies.has_study(tmp_path)
    studies.storage_of(tmp_path)
    assert studies.has_study(tmp_path)


def test_the_same_sweep_goes_on(study, tmp_path):
    for _ in range(2):
        studies.check_same(study, ABOUT, SPACE, tmp_path)
        study.ask(SPACE)


@pytest.mark.parametrize(
    ("about", "space", "message"),
    [
        ({"settings": {"seed": 2, "data.batch_size": 64}}, SPACE, "seed was 1, which is now 2"),
        ({"settings": {"seed": 1}}, SPACE, "data.batch_size was 64, which is now None"),
        ({"searched": []}, SPACE, "optimizer.lr is searched no more, and was before"),
        ({"searched": ["optimizer.lr", "seed"]}, SPACE, "seed is searched now, and was not before"),
        ({}, {"optimizer.lr": Floats(0.1, 1, log=True)}, "optimizer.lr was FloatDistribution(high=1.0, log=False"),
    ],
)
def test_another_sweep_is_refused_with_the_difference(study, tmp_path, about, space, message):
    studies.check_same(study, ABOUT, SPACE, tmp_path)
    study.ask(SPACE)
    with pytest.raises(HydraException) as caught:
        studies.check_same(study, ABOUT | about, space, tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: {message}")
    assert str(caught.value).endswith(": use another hydra.sweep.dir")
