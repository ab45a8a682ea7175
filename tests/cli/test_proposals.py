import shlex

import pytest
from hydra.errors import HydraException
from scripts import REPOSITORY

from litlab.cli.keys import Keys
from litlab.cli.overrides import check_options
from litlab.cli.proposals import of_path, proposal

CONF = REPOSITORY / "conf"


def proposed(line: str, script: str = "train") -> str | None:
    """What is proposed for the last argument of a command line."""
    arguments = shlex.split(line)
    name, given, value = arguments[-1].partition("=")
    return proposal(name, value if given else None, Keys(CONF, script, arguments, name))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lr=0.1", "write optimizer.lr=0.1"),
        ("augment=random_crop", "write 'data.augment=[random_crop]'"),
        ("augment=[cutout]", "write 'data.augment=[cutout]'"),
        ("data=mnist val_split=0.2", "write data.val_size=0.2"),
        (
            "data=mnist val_split=many",
            "write data.val_size=5000: a number or null; training images held out for validation, or their part if "
            "below 1; drawn by the seed alone",
        ),
        ("data=image_folder val_split=0.2", "write data.val_size=0.2"),
        ("lr=-1", "write optimizer.lr=0.001: a number, greater than 0; learning rate"),
        ("-m lr=0.1,0.2", "write optimizer.lr=0.1,0.2"),
        ("-m lr=0.1,fast", "write optimizer.lr=0.001: a number, greater than 0; learning rate"),
        ("-m lr=interval(0.1,0.2)", "write 'optimizer.lr=interval(0.1,0.2)'"),
        (
            "early_stopping=5",
            "write callbacks.early_stopping.enabled=true: true or false; ends the training when a metric stops "
            "improving",
        ),
        ("progress=false", "write callbacks.progress.enabled=false"),
        ("project=x", None),
        ("arch=vit", "write model=vit"),
        ("-m arch=vit,mlp", "write model=vit,mlp"),
        (
            "lr_scheduler=onecycle",
            "write scheduler=OPTION; did you mean one_cycle? there is: cosine, linear, none, one_cycle, plateau, step",
        ),
        ("dataset=./pics", "for a folder of pictures write data=image_folder data.data_dir=./pics"),
    ],
)
def test_a_setting_is_proposed_with_a_value_that_it_takes(line, said):
    assert proposed(line) == said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("save_dir=/tmp/x", "hydra.run.dir=/tmp/x"),
        ("output_dir=x", "hydra.run.dir=x"),
        ("-m log_dir=x", "hydra.sweep.dir=x"),
        ("output_dir", "hydra.run.dir=FOLDER"),
        ("exp=x", "name=x"),
        ("exp=mnist_cnn", "experiment=mnist_cnn"),
        ("device=cuda", "trainer=gpu"),
        ("device=gpu", "trainer=gpu"),
        ("device=cpu", "trainer=cpu"),
        ("device=cuda:1", "trainer=gpu 'trainer.devices=[1]'"),
        ("device=tpu", "trainer=cpu or trainer=gpu"),
        ("cuda=true", "trainer=gpu"),
        ("use_cuda=False", "trainer=cpu"),
        ("gpu=0", "trainer=gpu 'trainer.devices=[0]'"),
        ("gpus=0", "trainer=cpu"),
        ("gpus=2", "trainer.devices=2"),
        ("amp=true", "trainer.precision=16-mixed or trainer.precision=bf16-mixed"),
        ("fp16", "trainer.precision=16-mixed or trainer.precision=bf16-mixed"),
        ("fp16=false", "trainer.precision=32-true"),
        ("bf16=true", "trainer.precision=bf16-mixed"),
        ("precision=16-mixed", "trainer.precision=16-mixed"),
        ("kfold=3", "-m data.folds=3 data.fold=0,1,2"),
        ("kfold=1", "-m data.folds=5 data.fold=0,1,2,3,4"),
        ("kfold=20", "-m data.folds=20 'data.fold=range(20)'"),
        ("cv", "-m data.folds=5 data.fold=0,1,2,3,4"),
        ("model=resnet18 pretrained=true", "model.pretrained=true"),
        ("metric=acc", "objective=val/acc"),
        ("callbacks.tensorboard.enabled=false", "logger=csv"),
        ("logger.csv.enabled=false", "logger=tensorboard"),
        ("tensorboard=true", "logger=default"),
        ("wandb=true", "logger=wandb"),
        ("csv=labels.csv", "data=csv data.file=labels.csv"),
    ],
)
def test_a_word_of_another_program_says_what_to_write(line, said):
    assert proposed(line) == f"write {said}"


@pytest.mark.parametrize(
    ("line", "said"),
    [("output_dir=x", "write output=x"), ("device=cuda", "write trainer=gpu"), ("kfold=5", None), ("exp=x", None)],
)
def test_what_predict_does_not_have_is_not_proposed_there(line, said):
    assert proposed(line, "predict") == said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--device cuda", "--device: settings have no dashes: write trainer=gpu"),
        ("--fp16 model=mlp", "--fp16: settings have no dashes: write trainer.precision=16-mixed or trainer.precision="),
        ("--val_split 0.2 data=image_folder", "--val_split: settings have no dashes: write data.val_size=0.2"),
    ],
)
def test_an_option_with_dashes_says_which_setting_it_is(line, said):
    arguments = shlex.split(line)
    with pytest.raises(HydraException) as caught:
        check_options(arguments, Keys(CONF, "train", arguments))
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/tmp/my pics", "for a folder of pictures write data=image_folder 'data.data_dir=/tmp/my pics'"),
        ("pics/", "for a folder of pictures write data=image_folder data.data_dir=pics/"),
        ("pics", "for a folder of pictures write data=image_folder data.data_dir=pics"),
        ("labels/x.csv", "for a file of labels write data=csv data.file=labels/x.csv"),
        ("minst", None),
    ],
)
def test_a_path_in_place_of_a_data_set_says_how_it_is_given(tmp_path, monkeypatch, path, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pics").mkdir()
    assert of_path("data", path) == said
    assert of_path("model", path) is None


@pytest.mark.slow
@pytest.mark.parametrize("typed", ["augment=random_crop", "amp=true", "device=cpu", "save_dir=mine", "progress=false"])
def test_what_is_proposed_is_taken_when_it_is_pasted(train_here, typed):
    quick = ["data=mnist_sample", "model=mlp", "summary=true"]
    refused = train_here(*quick, typed)
    assert refused.status == 2
    pasted = shlex.split(refused.err.partition(": write ")[2].partition(" or ")[0])
    assert train_here(*quick, *pasted).status == 0
