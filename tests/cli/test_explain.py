import hydra
import pytest
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException
from scripts import REPOSITORY

from litlab.cli.explain import OF_DATA, explain
from litlab.config import FILLED_FROM_DATA

CONF = REPOSITORY / "conf"


@pytest.fixture
def explained():
    """Composes a config that cannot be composed, and explains why."""

    def compose(*overrides: str, script: str = "train") -> str:
        with (
            pytest.raises((HydraException, OmegaConfBaseException)) as caught,
            hydra.initialize_config_dir(str(CONF), version_base="1.3"),
        ):
            hydra.compose(script, list(overrides))
        return explain(caught.value, overrides, CONF, script)

    return compose


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimizer=adm"], "optimizer=adm: no such option; did you mean adam? there is: adam, adamw, muon, sgd"),
        (["metrics=[f1,zzz]"], "metrics=zzz: no such option; there is: auroc, calibration, f1, f1_auroc, mape, none"),
        (["hydra/launcher=zzz"], "hydra/launcher=zzz: no such option; there is: basic"),
        (["optimizer.lrr=1"], "optimizer.lrr is unknown; optimizer: did you mean lr? there is: backbone_factor, betas"),
        (
            ["optimizer=sgd", "optimizer.betas=1"],
            "optimizer.betas is unknown here; it is a setting of optimizer=adam",
        ),
        (["optimizer.lr.x=1"], "optimizer.lr has no keys of its own: optimizer.lr.x is unknown"),
        (
            ["momentum=1"],
            "momentum is unknown here; it is a setting of optimizer=muon, optimizer=sgd: choose one, and write "
            "optimizer.momentum=1",
        ),
        (["data.root='a  b'"], "data.root is unknown: write 'data.data_dir='\"'\"'a  b'\"'\"''"),
        (
            ["data.lr='0.1 0.2'"],
            "data.lr is unknown: write optimizer.lr=0.001: a number, greater than 0; learning rate",
        ),
        (["callbacks.foo.enabled=false"], "callbacks.foo is unknown; callbacks: there is: checkpoints, config_text, "),
        (["callbacks.progres.enabled=false"], "callbacks.progres is unknown; callbacks: did you mean progress? "),
        (["enabled=false"], "enabled is unknown; there is: "),
        (["callbacks.tensorboard.enabled=false"], "callbacks.tensorboard.enabled is unknown: write logger=csv"),
        (["data=/tmp/pics"], "data=/tmp/pics: no such option; for a folder of pictures write data=image_folder data."),
        (["model=./net"], "model=./net: no such option; there is: alexnet, "),
        (["hydra/launcher=a/b"], "hydra/launcher=a/b: no such option; there is: basic"),
        (
            ["model=resnet18", "model.name=resnet34"],
            "model.name is unknown here; it is a setting of model=timm, model=torchvision: write model=resnet34",
        ),
        (
            ["model=resnet18", "model.name=x*"],
            "model.name is unknown here; it is a setting of model=timm, model=torchvision; model: there is: compile",
        ),
        (
            ["scheduler=step", "scheduler.patience=3"],
            "scheduler.patience is unknown here; it is a setting of scheduler=plateau; scheduler: there is: gamma",
        ),
        (["optimizer.patience=1"], "optimizer.patience is unknown: write callbacks.early_stopping.patience=1"),
        (["~loss.class_weights"], "~loss.class_weights: it is null already; leave this out"),
        (["~optimizer.lrr"], "optimizer.lrr is unknown; optimizer: did you mean lr?"),
        (["seed=[1"], "seed=[1: "),
        (["größe=1"], "größe=1: it has characters that need quotes"),
        (["model=mlp,vit"], "model=mlp,vit: several options are a sweep: add -m"),
        (
            ["data.train_limit=10,000"],
            "data.train_limit=10,000: a number has no comma: write data.train_limit=10000",
        ),
        (
            ["data.image_size=224,224"],
            "data.image_size=224,224: several values are a sweep: add -m; one value",
        ),
        (["data.val_sizee=1,2"], "data.val_sizee is unknown; data: did you mean val_size? there is:"),
        (["data.val_size=1,2"], "data.val_size=1,2: several values are a sweep: add -m; one value that is a list is"),
        (["+optimizer.lr=1"], "optimizer.lr is a setting already: write optimizer.lr=1, without +"),
        (
            ["loss={a: 1}"],
            "loss=OPTION takes one of bce, bce_with_logits, cross_entropy, l1, mse, nll, smooth_l1; its settings are",
        ),
        (
            ["hydra.sweeper.prun=asha"],
            "hydra.sweeper.prun is unknown; did you mean prune? there is: max_batch_size, params",
        ),
        (
            ["hydra.sweeper.n_trials=4"],
            "hydra.sweeper.n_trials is unknown here; it is a setting of hydra/sweeper=optuna",
        ),
        (["hydra.nosuch=4"], "hydra.nosuch is unknown; python train.py --cfg hydra lists Hydra's own settings"),
        (["model=vit", "model.patch_size=5"], "model.patch_size is unknown; model: did you mean patch? there is:"),
        (["model=mlp", "model.patch_size=5"], "model.patch_size is unknown; model: there is: activation, compile"),
        (["patch_size=5"], "patch_size is unknown; there is: "),
        (["model.batchsize=5"], "model.batchsize is unknown: write data.batch_size=5"),
        (["data.num_classes=7"], "data.num_classes is unknown: the data set has its own number of classes; leave it"),
        (["num_classes=7"], "num_classes is unknown: the data set has its own number of classes; leave it out"),
        (["mix.until=0.5"], "mix.until is unknown here; it is a setting of mix=both, mix=cutmix, mix=mixup"),
        (["mix.zzz=0.5"], "mix.zzz is unknown; mix=OPTION has settings: mix=both, mix=cutmix, mix=mixup"),
        (["+data=mnist_sample"], "+data=mnist_sample: write data=mnist_sample, without +"),
        (["+data=mnist"], "+data=mnist: write data=mnist, without +"),
        (["++data=mnist_sample"], "++data=mnist_sample: write data=mnist_sample, without +"),
        (["modle=mlp", "seed=7"], "modle is unknown; did you mean model?"),
        (["modle=mlp", "optimizer.lrr=1"], "modle is unknown; did you mean model?"),
    ],
)
def test_a_mistake_is_explained_by_what_there_is(explained, overrides, message):
    said = explained(*overrides)
    assert said.startswith(message)
    assert "\n" not in said


def test_an_option_without_settings_has_no_empty_list_of_them(explained):
    said = explained("loss=nll", "loss.label_smoothing=0.1")
    assert said == "loss.label_smoothing is unknown here; it is a setting of loss=cross_entropy"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data=mnist_sample,", "remove the comma: write data=mnist_sample"),
        ("seed=,1", "one comma too many: write seed=1"),
        ("seed=1,,2", "one comma too many: write seed=1,2"),
        ("data.augment=[flip,]", "remove the comma before the closing bracket"),
        ("optimizer=adam.lr=0.1", "these are two settings: write optimizer=adam optimizer.lr=0.1"),
        ("seed=1=2", "a setting has one =; if the other belongs to the value, write 'seed='\"'\"'1=2'\"'\"''"),
        ("optimizer.lr=interval(0.1)", "write interval(LOWEST,HIGHEST)"),
        ("optimizer.lr=zzz(0.1)", "Unknown function 'zzz'"),
        ("data.augment=[random_crop", "] is missing"),
        ("data.augment=[{name: cutout]", "there is a ] without [ before it"),
        ("model.hidden=5]", "there is a ] without [ before it"),
        ("name='a", "a quote is not closed"),
        ("name=it's", "it has characters that need quotes"),
        ("name=a!", "it has characters that need quotes"),
    ],
)
def test_what_hydra_cannot_read_is_said_in_plain_words(explained, override, message):
    assert explained(override) == f"{override}: {message}"


def test_what_the_data_say_is_known():
    assert set(OF_DATA) == set(FILLED_FROM_DATA)


def test_a_list_is_not_proposed_for_a_number(explained):
    assert explained("optimizer.lr=range(1,3)") == "optimizer.lr=range(1,3): several values are a sweep: add -m"
    assert explained("optimizer.lr=0.1,0.2") == "optimizer.lr=0.1,0.2: several values are a sweep: add -m"


@pytest.mark.parametrize(
    ("override", "script", "other"),
    [
        ("epochs=3", "predict", "train"),
        ("lr=0.1", "predict", "train"),
        ("model=mlp", "predict", "train"),
        ("resume=latest", "predict", "train"),
        ("test=false", "predict", "train"),
        ("ckpt=latest", "train", "predict"),
        ("picture=a.png", "train", "predict"),
        ("export=onnx", "train", "predict"),
    ],
)
def test_a_setting_of_the_other_script_is_said_to_be_its(explained, override, script, other):
    said = explained(override, script=script)
    assert said.startswith(f"{override.partition('=')[0]} is unknown here; it is for python {other}.py; there is: ")


def test_the_points_of_an_error_of_hydra_stay():
    assert explain(HydraException("write lr=..."), [], CONF, "train") == "write lr=..."


def test_a_launcher_that_is_not_installed_says_what_to_install():
    error = MissingConfigException("no", "hydra/launcher/joblib", ["basic"])
    assert explain(error, [], CONF, "train") == 'hydra/launcher=joblib: pip install -e ".[joblib]" first'


def test_a_launcher_that_litlab_does_not_document_is_not_proposed():
    error = MissingConfigException("no", "hydra/launcher/ray_a", ["basic", "ray", "ray_aws"])
    assert (
        explain(error, [], CONF, "train")
        == "hydra/launcher=ray_a: no such option; did you mean ray? there is: basic, ray"
    )


def test_any_other_error_is_one_line_with_its_cause():
    error = HydraException("It is broken.\nVery much so.")
    assert explain(error, [], CONF, "train") == "It is broken"
    error.__cause__ = ValueError("a screw is loose")
    assert explain(error, [], CONF, "train") == "It is broken (a screw is loose)"
