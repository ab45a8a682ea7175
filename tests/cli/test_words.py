import shlex

import pytest
from hydra.errors import HydraException
from scripts import REPOSITORY

from litlab.cli.keys import Keys
from litlab.cli.words import check_words

CONF = REPOSITORY / "conf"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("'data = mnist'", "data = mnist: write data=mnist, without spaces around ="),
        ("data = mnist", "data =: write data=mnist, without spaces around ="),
        ("data =mnist", "data =: write data=mnist, without spaces around ="),
        ("optimizer.lr= 0.1", "optimizer.lr= 0.1: write optimizer.lr=0.1, without a space after ="),
        (
            "-m optimizer.lr=0.1, 0.2",
            "optimizer.lr=0.1, 0.2: write optimizer.lr=0.1,0.2, without a space after the comma",
        ),
        ("'a name=1'", "a name=1: every argument is a setting and its value, written SETTING=VALUE; --help lists them"),
        ("seed=1 ''", "an empty argument, perhaps of a shell variable that is not set: leave it out"),
        ("'\"model=mlp\"'", '"model=mlp": write model=mlp, without quotes or spaces around it'),
        ("“model=mlp”", "“model=mlp”: write model=mlp, without quotes or spaces around it"),
        ("loss", "loss: write loss=OPTION; there is: bce, bce_with_logits, cross_entropy, l1, mse, nll, smooth_l1"),
        ("cifar10", "cifar10: write data=cifar10"),
        ("lr", "lr: write optimizer.lr=VALUE"),
        ("zzz", "zzz: every argument is a setting and its value, written SETTING=VALUE; --help lists them"),
        ("photos", "photos: write data.data_dir=photos"),
        ("ckpt", "ckpt: it is for python predict.py; --help lists the settings that there are here"),
    ],
)
def test_a_word_that_is_no_setting_says_what_to_type(tmp_path, monkeypatch, typed, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    with pytest.raises(HydraException) as caught:
        check_words(shlex.split(typed), Keys(CONF, "train"))
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("picture.jpg", "picture.jpg: write input=picture.jpg"),
        ("my dog.jpg", "my dog.jpg: write 'input=my dog.jpg'"),
        ("best.ckpt", "best.ckpt: write ckpt=best.ckpt"),
        ("run", "run: write ckpt=run"),
        ("mlp", "mlp: it is for python train.py; --help lists the settings that there are here"),
        ("epochs", "epochs: it is for python train.py; --help lists the settings that there are here"),
    ],
)
def test_a_word_alone_says_which_setting_takes_it(tmp_path, monkeypatch, word, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run/.hydra").mkdir(parents=True)
    with pytest.raises(HydraException) as caught:
        check_words([word], Keys(CONF, "predict"))
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "line",
    [
        "-m optimizer.lr=0.1,0.2 model=mlp",
        "--cfg job -p optimizer seed=1",
        "~scheduler ++a=1 +b.c@d=2 ~e=3 hydra/launcher=joblib 'data.augment=[{name: cutout}]'",
        "--config-dir mine -cn other",
        "optimizer.lr=",
    ],
)
def test_what_hydra_understands_is_left_to_it(line):
    check_words(shlex.split(line), Keys(CONF, "train"))
