import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from scripts import QUICK, composed
from sweep_folders import job_of

from litlab.config import check_swept
from litlab.errors import ConfigError
from litlab.sweeps.grid import GridSweeper, combinations


def parsed(*overrides):
    return OverridesParser.create().parse_overrides(list(overrides))


def test_every_combination_is_a_job():
    assert combinations(parsed("optimizer.lr=0.1,0.2", "model=mlp", "seed=range(1,3)")) == [
        ["optimizer.lr=0.1", "model=mlp", "seed=1"],
        ["optimizer.lr=0.1", "model=mlp", "seed=2"],
        ["optimizer.lr=0.2", "model=mlp", "seed=1"],
        ["optimizer.lr=0.2", "model=mlp", "seed=2"],
    ]
    assert combinations(parsed("seed=1", "seed=2,3")) == [["seed=2"], ["seed=3"]]
    assert combinations(parsed("+a='x,y'", "~b")) == [["+a='x,y'", "~b=null"]]


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(HydraException, match=r"^a=interval\(0,1\): has no end of values; hydra/sweeper=optuna search"):
        combinations(parsed("a=interval(0,1)"))
    with pytest.raises(HydraException, match="^hydra.sweeper.max_batch_size=0: must be at least 1, or null$"):
        GridSweeper(max_batch_size=0)


def test_a_mistake_in_the_last_job_is_found_before_the_first_begins(train_here, tmp_path):
    """The jobs are given to the launcher one by one, and all are composed before."""
    jobs = [
        "model=mlp,lenet5",
        "model.hidden=choice([20])",
        "hydra.sweeper.max_batch_size=1",
    ]  # lenet5 has no model.hidden
    done = train_here("-m", *QUICK, *jobs)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert done.err.startswith("error: with model=lenet5: model.hidden is unknown here; it is a setting of model=mlp")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_setting_that_the_usual_option_has_not_is_given_as_a_choice(train_here, tmp_path):
    """Hydra first composes the config of the sweep, with the usual option."""
    done = train_here("-m", *QUICK, "optimizer=sgd,muon", "optimizer.momentum=0.8")
    said = "error: optimizer.momentum: in a sweep over optimizer, write 'optimizer.momentum=choice(0.8)'\n"
    assert (done.status, done.err) == (2, said)
    few = ["optimizer=sgd,muon", "optimizer.momentum=choice(0.8)", "debug=fast_dev_run", "model=mlp"]
    assert train_here("-m", *QUICK, *few).status == 0


@pytest.mark.parametrize("folder", ["name=mine", "hydra.sweep.dir=runs/mine"])
def test_a_setting_that_only_some_options_have_names_both_and_leaves_no_folder(train_here, tmp_path, folder):
    done = train_here("-m", *QUICK, "model=mlp", "loss.label_smoothing=0.1", "loss=cross_entropy,nll", folder)
    said = "error: with loss=nll: loss.label_smoothing is unknown here; it is a setting of loss=cross_entropy\n"
    assert (done.status, done.err) == (2, said)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optimizer.lr=0.001,fast", "optimizer.lr=fast: must be a number"),
        ("data.batch_size=x", "data.batch_size=x: must be a number"),  # the same in all jobs
        ("trainer.max_epochs=x", "trainer.max_epochs=x: must be a number"),
        ("summary=x", "summary=x: must be true or false"),
        ("optimizer.lr=0.001,-1", "optimizer.lr=-1: must be greater than 0"),
        ("data.batch_size=64,0", "data.batch_size=0: must be at least 1"),
        ("data.batch_size=64,x", "data.batch_size=x: must be a number"),
        ("trainer.max_epochs=1,0", "trainer.max_epochs=0: must be at least 1"),
        ("seed=1,2.5", "seed=2.5: must be an integer"),
        ("data.batch_size=64,32.5", "data.batch_size=32.5: must be an integer or auto"),
        ("model=1,2", "model=1: no such option; there is: alexnet, "),
        ("model=range(1,3)", "model=1: no such option; there is: alexnet, "),
        ("data=mnist_sample,1", "data=1: no such option; there is: cifar10, "),
        ("scheduler=cosine,null", "scheduler=null: no such option; there is: cosine, "),
        ("engine=eager,fast", "engine=fast: must be one of auto, eager, blocks, graph"),
        (
            "optimizer.lr=[0.001,0.01]",
            "optimizer.lr=[0.001,0.01]: must be a number; several values are written",
        ),
        (
            "optimizer.lr=0.001:0.01",
            "optimizer.lr=0.001:0.01: must be a number; these two are written optimizer.lr=0.001,0.01, the numbers "
            "between 'optimizer.lr=interval(0.001,0.01)' with hydra/sweeper=optuna\n",
        ),
        (
            "seed=1:5",
            "seed=1:5: must be an integer; these two are written seed=1,5, the numbers between 'seed=range(1,6)'\n",
        ),
        ("data.fold=0,1", "data.fold needs data.folds: write data.folds=5 beside it"),
    ],
)
def test_a_value_with_which_a_job_would_fail_is_found_before_the_first_begins(train_here, tmp_path, setting, message):
    done = train_here("-m", *QUICK, "threads=1,2", "name=mine", setting)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert done.err.startswith(f"error: {message}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.batch_size=x", "data.batch_size=x: must be a number"),
        ("summary=true", "summary=true trains nothing: leave hydra/sweeper=optuna out"),
        ("model=interval(1,2)", "model=1: no such option; there is: alexnet, "),
        ("model=mlp,xx", "model=xx: no such option; there is: alexnet, "),
        (
            "data.batch_size=tag(log,interval(16,64))",
            "data.batch_size=tag(log,interval(16,64)): must be an integer or auto; "
            "whole numbers are written 'data.batch_size=int(tag(log,interval(16,64)))'\n",
        ),
        (
            "seed=interval(1,2)",
            "seed=interval(1,2): must be an integer; whole numbers are written 'seed=int(interval(1,2))'\n",
        ),
        ("data.batch_size=range(16,64,0.5)", "data.batch_size=16.5: must be an integer or auto\n"),
    ],
)
def test_a_search_that_could_not_end_well_is_refused(train_here, tmp_path, setting, message):
    pytest.importorskip("optuna")
    done = train_here("-m", "hydra/sweeper=optuna", *QUICK, "name=mine", "optimizer.lr=0.1,0.2", setting)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert done.err.startswith(f"error: {message}")
    assert not list(tmp_path.iterdir())


def test_values_of_other_kinds_are_left_to_the_jobs():
    usual = composed("trainer=cpu")
    for setting in ("model=mlp", "optimizer.lr=1e30", "+optimizer.lr=0.1", "optimizer.betas=[0.9,0.99]", "~ema=null"):
        check_swept(setting, usual)
    for setting in ("optimizer.lr=${width}", "data.batch_size=auto", "trainer.devices=[0]", "checkpoint.keep=3"):
        check_swept(setting, usual)
    for setting in (
        "trainer.limit_train_batches=0.5",
        "trainer.devices=auto",
        "+model.own=x",
        "name='a b'",
        "name=*vit*",
    ):
        check_swept(setting, usual)


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        (
            ["model=mlp", "model.hidden=10,20"],
            "model.hidden=10: must be a list of integers; several lists are written ",
        ),
        (["optimizer.lr=0.1,0.2", "+x=1"], "x is unknown; there is: callbacks, checkpoint, data, "),
        (["+x=1,2"], "x is unknown; there is: callbacks, checkpoint, data, "),
    ],
)
def test_a_sweep_of_wrong_jobs_is_refused_in_one_line_and_leaves_nothing(train_here, tmp_path, sweep, said):
    done = train_here("-m", *QUICK, *sweep)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"error: {said}"), done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["multirun.yaml", "sweep.csv", "sweep.png", "sweep.html"])
def test_a_folder_in_the_place_of_a_file_of_the_sweep_is_named_before_its_first_job(train_here, tmp_path, name):
    (tmp_path / "there" / name).mkdir(parents=True)
    done = train_here("-m", *QUICK, "seed=1,2", "hydra.sweep.dir=there")
    said = f"error: there/{name} is a folder, and the sweep has a file of this name: rename it\n"
    assert (done.status, done.out, done.err) == (2, "", said)
    assert [path.name for path in (tmp_path / "there").iterdir()] == [name]


def test_a_file_in_the_place_of_a_jobs_folder_is_named_before_the_first_job(train_here, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/optimizer.lr=0.1,seed=2").touch()
    done = train_here("-m", *QUICK, "seed=1,2", "optimizer.lr=0.1,0.2", "hydra.sweep.dir=there")
    said = "error: there/optimizer.lr=0.1,seed=2 is a file, and a job has a folder of this name: rename it\n"
    assert (done.status, done.out, done.err) == (2, "", said)
    assert len(list((tmp_path / "there").iterdir())) == 1


@pytest.mark.parametrize("subdir", ["x", "${seed}"])
def test_two_jobs_in_one_folder_are_refused_before_the_first(train_here, tmp_path, subdir):
    done = train_here("-m", *QUICK, "optimizer.lr=0.1,0.2", "seed=3", f"hydra.sweep.subdir={subdir}")
    said = f"error: hydra.sweep.subdir={subdir}: optimizer.lr=0.1 and optimizer.lr=0.2 would have one folder, "
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(said)
    assert done.err.endswith("; leave it out, or write hydra.sweep.subdir='${hydra.job.num}'\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${wrong.key}", "optimizer.lr: ${wrong.key} refers to no setting"),
        ("${hydra.job.num}", "optimizer.lr: in place of ${hydra.job.num} write ${hydra:job.num}"),
    ],
)
def test_a_reference_to_no_setting_is_refused_before_the_first_job(train_here, tmp_path, value, said):
    done = train_here("-m", *QUICK, "seed=1,2", f"optimizer.lr={value}")
    assert (done.status, done.out, done.err) == (2, "", f"error: {said}\n")
    assert not list(tmp_path.iterdir())


def test_a_job_in_the_folder_of_an_earlier_one_is_refused(train_here, tmp_path):
    job_of(tmp_path / "there", "0", [*QUICK, "optimizer.lr=1e-1"])
    own = ["hydra.sweep.dir=there", "hydra.sweep.subdir=${hydra.job.num}"]
    done = train_here("-m", *QUICK, "optimizer.lr=0.2,0.1", *own)
    assert done.err == (
        "error: hydra.sweep.subdir=${hydra.job.num}: optimizer.lr=0.1 and optimizer.lr=0.2 would have one folder, 0; "
        "leave it out, or use another hydra.sweep.dir\n"
    )


def test_all_trials_in_one_folder_are_refused_before_the_first(train_here, tmp_path):
    pytest.importorskip("optuna")
    own = ["hydra/sweeper=optuna", "hydra.sweep.subdir=x"]
    done = train_here("-m", *own, *QUICK, "optimizer.lr=0.1,0.2")
    said = "error: hydra.sweep.subdir=x: all trials would be in one folder; leave it out, or write "
    assert done.err == f"{said}hydra.sweep.subdir='${{hydra.job.num}}'\n"
    assert not list(tmp_path.iterdir())


def test_one_value_in_place_of_a_list_is_taken_where_the_class_takes_it():
    usual = composed("trainer=cpu", "model=mlp")
    check_swept("model.hidden=10", usual, swept=["model"])  # another model may take it
    check_swept("model.hidden=[10]", usual)
    with pytest.raises(ConfigError, match="^model.hidden=10: must be a list of integers"):
        check_swept("model.hidden=10", usual)
    with pytest.raises(ConfigError, match=r"^model.hidden=\[10,a\]: must be a list of integers$"):
        check_swept("model.hidden=[10,a]", usual)
    check_swept("model.hidden=[]", usual)


def test_halving_needs_checkpoints(train_here):
    swept = ["optimizer.lr=0.1,0.2", "hydra.sweeper.prune=asha", "trainer.max_epochs=3"]
    done = train_here("-m", *QUICK, *swept, "callbacks.checkpoints.enabled=false")
    said = "error: hydra.sweeper.prune=asha: not with callbacks.checkpoints.enabled=false\n"
    assert (done.status, done.err) == (2, said)


def test_a_wrong_setting_of_the_sweeper_is_named_without_its_class(train_here):
    done = train_here("-m", *QUICK, "seed=1,2", "hydra.sweeper.prune=median")
    assert done.err.startswith("error: hydra.sweeper.prune=median: must be false or asha; ")
    assert done.err.count("\n") == 1
