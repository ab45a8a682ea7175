"""What the script says of a mistake, and when it is stopped before a run begins."""

import pytest
from scripts import QUICK

import litlab


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model=resnet99"], "model=resnet99: no such option;"),
        (["trainer=null"], "trainer=null: no such option; there is: auto, cpu"),
        (["model=mnist_cn"], "did you mean mnist_cnn? there is: alexnet"),
        (["modle=mlp"], "modle is unknown; did you mean model?"),
        (["optimizer.lrr=1"], "optimizer.lrr is unknown; optimizer: did you mean lr? there is:"),
        (["trainer.max_epoch=1"], "did you mean max_epochs?"),
        (["optimizer.lr=-0.1"], "optimizer.lr=-0.1: must be greater than 0"),
        (["optimizer.lr=fast"], "optimizer.lr=fast: must be a number"),
        (["trainer.max_epochs=abc"], "trainer.max_epochs=abc: must be an integer or null"),
        (["trainer.max_epochs=0"], "trainer.max_epochs=0: must be at least 1"),
        (["data.batch_size=0"], "data.batch_size=0: must be at least 1"),
        (["data.batch_size=many"], "data.batch_size=many: must be an integer"),
        (["data.val_size=4000"], "data.val_size"),
        (["data.augment=[flip]"], "data.augment"),
        (["data.data_dir=file/below", "data=mnist"], "data.data_dir"),
        (["hydra.run.dir=file/below"], "file is a file, and litlab needs a folder of this name: rename it"),
        (["+optimizer.speed=2"], "optimizer.speed is unknown to torch.optim.Adam; there is:"),
        (["model.input_shape=[3,32,32]"], "model.input_shape=[3, 32, 32] contradicts data=mnist_sample"),
        (["model.num_classes=7"], "model.num_classes=7 contradicts data=mnist_sample"),
        (
            ["objective=val/accuracy"],
            "objective=val/accuracy is not logged; what is: train/loss, train/acc, val/loss, val/acc",
        ),
        (
            ["callbacks.early_stopping.enabled=true", "callbacks.early_stopping.monitor=val/accc"],
            "callbacks.early_stopping.monitor=val/accc is not logged; what is: train/loss, train/acc, val/loss",
        ),
        (["objective_mode=up"], "objective_mode=up: must be min, max or null"),
        (["trainer.devices=0"], "trainer.devices=0: must name at least one device"),
        (["logger.csv.save_dir=shared"], "logger.csv.save_dir=shared: must be null, the run folder"),
        (["trainer.precision=17"], "trainer.precision=17: must be one of"),
        (["seed=x"], "seed=x: must be an integer"),
        (["scheduler=cosine", "scheduler.warmup_epochs=9"], "scheduler.warmup_epochs must be at least 0 and less"),
        (["optimizer.lr=[1"], "optimizer.lr=[1"),
        (["optimizer.betas=[1,2]"], "optimizer=adam: Invalid beta parameter"),
        (["lr=0.1"], "error: lr is unknown: write optimizer.lr=0.1"),
        (["epochs=3"], "error: epochs is unknown: write trainer.max_epochs=3"),
        (["--max_epochs=3"], "error: --max_epochs: settings have no dashes: write trainer.max_epochs=3"),
        (["--data", "mnist_sample"], "error: --data: settings have no dashes: write data=mnist_sample"),
        (['optimizer.lr="0.1"'], 'optimizer.lr="0.1": must be a number'),
        (
            ["-m", "optimizer.lr=0.001,0,01"],
            "optimizer.lr=0.001,0,01: no number begins so: a decimal number has a point: 0.01",
        ),
        (["optimizer.lr=0,001"], "optimizer.lr=0,001: a decimal number has a point: write optimizer.lr=0.001"),
        (["model=mlp,mnist_cnn"], "model=mlp,mnist_cnn: several options are a sweep: add -m"),
        (["hydra/launcher=joblib"], "hydra/launcher=joblib: it is for a sweep; add -m"),
        (["hydra.sweeper.prune=asha"], "hydra.sweeper.prune=asha: it is for a sweep; add -m"),
        (["data=MNIST"], "data=MNIST: no such option; did you mean mnist?"),
        (["~data"], "error: ~data: a run needs data=OPTION; there is: cifar10, "),
        (["~optimizer"], "error: ~optimizer: a run needs optimizer=OPTION; there is: adam, adamw, muon, sgd"),
        (["model"], "error: model: write model=OPTION; there is: alexnet"),
    ],
)
@pytest.mark.slow
def test_a_mistake_is_one_line_and_leaves_nothing(train_here, tmp_path, arguments, message):
    (tmp_path / "file").touch()
    done = train_here(*QUICK, *arguments)
    assert done.status == 2, done.err
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_a_mistake_is_one_line_of_the_real_script(train, tmp_path):
    done = train(*QUICK, "optimizer.lr=-0.1", cold=True)
    assert (done.status, done.out, done.err) == (2, "", "error: optimizer.lr=-0.1: must be greater than 0\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_full_error_shows_the_traceback(train):
    done = train(*QUICK, "optimizer.lr=-1", HYDRA_FULL_ERROR="1")
    assert done.status != 0
    assert "Traceback" in done.err


PREPARED = "data._target_=faults.injected.SignalWhilePrepared"


@pytest.mark.parametrize(
    ("signal_name", "status", "folder"), [("SIGINT", 130, []), ("SIGTERM", 143, ["hydra.run.dir=runs/mine"])]
)
@pytest.mark.usefixtures("ctrl_c")
def test_stopped_before_it_began_a_run_says_so_and_leaves_nothing(train_here, tmp_path, signal_name, status, folder):
    done = train_here(*QUICK, "model=mlp", *folder, PREPARED, f"+data.signal_name={signal_name}")
    assert (done.status, done.err) == (status, "interrupted\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", ["train.py", "predict.py"])
def test_an_unknown_option_is_one_line(script_here, script):
    done = script_here(script, "--nonsense")
    assert done.status == 2
    assert done.err.startswith("error: --nonsense: no such option; there is: --cfg, ")
    assert done.err.count("\n") == 1


@pytest.mark.slow
def test_a_sweep_of_a_setting_that_is_not_there_is_one_line(train_here, tmp_path):
    for wrong, message in {
        "optimizer.lrr=1,2": "optimizer.lrr is unknown; optimizer: did you mean lr?",
        "model=resnet99,mlp": "model=resnet99: no such option; did you mean resnet50?",
        "hydra/launcher=nonsense": "hydra/launcher=nonsense: no such option; there is: basic",
        "lr_find=true": "lr_find=true: not in a sweep; leave out -m",
        "seed=3": "seed=1,2 and seed=3: the second would end the sweep; leave one out",
        "--multirn": "--multirn: no such option; did you mean --multirun?",
    }.items():
        done = train_here("-m", *QUICK, "seed=1,2", wrong)
        assert (done.status, done.err.count("\n")) == (2, 1), done.err
        assert done.err.startswith(f"error: {message}")
    assert not list(tmp_path.iterdir())


def test_a_sweep_of_predictions_is_refused_and_leaves_nothing(script_here, tmp_path):
    done = script_here("predict.py", "-m", "ckpt=latest", "evaluate=test,val")
    assert (done.status, done.err) == (
        2,
        "error: -m: python predict.py does one thing at a time; sweeps are for training\n",
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_hydras_beginnings_of_the_option_for_a_sweep_are_a_sweep(script_here, tmp_path):
    done = script_here("train.py", "--multi", *QUICK, "seed=1,2", "hydra.sweep.dir=s")
    assert done.status == 0, done.err
    assert len(list(tmp_path.glob("s/*/result.json"))) == 2


def test_a_config_may_be_shown_beside_settings_of_a_sweep(script_here):
    assert script_here("train.py", "--cfg=job", "hydra.sweep.dir=s").status == 0


def test_a_folder_of_a_training_is_refused_for_predictions(script_here, tmp_path):
    done = script_here("predict.py", "ckpt=latest", "evaluate=test", "hydra.run.dir=mine")
    assert (done.status, done.err) == (2, "error: hydra.run.dir=mine: is for training; write output=mine\n")
    assert not list(tmp_path.iterdir())


def test_a_run_to_resume_that_is_not_there_is_one_line(train_here):
    done = train_here("resume=nowhere")
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        "error: resume=nowhere: no such run folder or checkpoint; give latest, a folder below runs/ or a checkpoint in "
        "one\n"
    )


def test_the_option_for_a_sweep_may_stand_anywhere(train_here):
    """Hydra alone takes what follows it for something unknown."""
    quick = [*QUICK, "model=mlp", "summary=true"]
    done = train_here(*quick, "-m", "model.hidden=[4],[5]")
    assert (done.status, done.err) == (0, "")
    assert done.out.count("mnist_sample: 1 x 28 x 28") == 2


@pytest.mark.parametrize("script", ["train.py", "predict.py"])
def test_the_version_is_that_of_litlab(script_here, script):
    done = script_here(script, "--version")
    assert (done.status, done.out) == (0, f"litlab {litlab.__version__}\n")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("trainer.max_epochs=3", "trainer.max_epochs: it is for python train.py; python predict.py does not use it"),
        (
            "trainer.limit_test_batches=0.5",
            "trainer.limit_test_batches: it is for python train.py; python predict.py does not",
        ),
        ("resume=latest", "resume is unknown here; it is for python train.py; there is: batch_size, calibrate, ckpt,"),
        ("--epochs", "--epochs: it is for python train.py; --help lists the settings that there are here"),
    ],
)
def test_predict_names_only_settings_that_it_has(script_here, argument, message):
    done = script_here("predict.py", argument, "input=a.png")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"error: {message}")


def test_an_error_shows_the_argument_as_it_was_typed(script_here):
    """litlab puts quotes around letters that are not English ones, for Hydra."""
    for argument in ("input=[größe's]", "input=[größe(1).png]"):
        done = script_here("predict.py", "ckpt=latest", argument)
        assert (done.status, done.err) == (2, f"error: {argument}: it has characters that need quotes\n")
