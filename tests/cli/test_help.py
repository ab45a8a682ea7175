import re
import subprocess
import sys

import pytest
from hydra.errors import HydraException
from scripts import REPOSITORY

from litlab.cli.help import explain, options
from litlab.cli.overrides import help_asked
from litlab.cli.settings import described

CONF = REPOSITORY / "conf"


def test_every_option_says_what_it_is(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    files = list(CONF.glob("*/*.yaml"))
    assert len(files) > 40
    assert [file for file in files if not described(file)] == []
    listed = options([CONF], "train")
    assert described(CONF / "model/lenet5.yaml") in " ".join(listed.split())
    assert max(map(len, listed.splitlines())) <= 80
    assert "export:" not in options([CONF], "train")
    assert "model:" not in options([CONF], "predict")


def test_help_lists_the_groups_and_says_what_each_option_is():
    done = subprocess.run(
        [sys.executable, REPOSITORY / "train.py", "--help"], capture_output=True, text=True, check=True
    )
    for group in ("data", "model", "loss", "optimizer", "scheduler", "trainer", "experiment", "debug"):
        assert f"\n{group}:" in done.stdout
    assert re.search(r"^  resnet18 +ResNet-18: residual blocks", done.stdout, re.M)
    assert re.search(r"^  linear_regression +A line through six points", done.stdout, re.M)


def test_what_is_for_hydra_does_not_describe_an_option(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("# @package _global_\n# The first words.\n# More.\nkey: 1 # a setting\n")
    assert described(file) == "The first words."
    file.write_text("key: 1 # a setting\n")
    assert described(file) == ""


def test_help_of_a_group_explains_each_setting_of_the_chosen_option():
    text = explain("optimizer", [], [CONF], "train")
    assert re.search(r"^  sgd +Stochastic gradient descent", text, re.M)
    assert re.search(r"^  optimizer\.lr=0\.001 +a number, greater than 0; learning rate$", text, re.M)
    assert "optimizer.momentum" not in text
    assert "optimizer.momentum=0.0" in explain("optimizer", ["optimizer=sgd"], [CONF], "train")


def test_help_of_predict_has_only_what_predict_uses():
    text = explain("trainer", [], [CONF], "predict")
    assert "trainer.devices=1" in text
    assert "max_epochs" not in text
    assert "python predict.py trainer=OPTION --help trainer" in text


def test_help_explains_sweepers_and_launchers():
    assert "hydra.sweeper.prune=false  asha: jobs train in rungs" in explain("hydra.sweeper.prune", [], [CONF], "train")
    text = explain("hydra/sweeper", ["hydra/sweeper=optuna"], [CONF], "train")
    assert "Those of hydra/sweeper=optuna" in text
    assert "hydra.sweeper.n_trials=20 " in text
    assert "others: joblib, ray, submitit_local" in explain("hydra/launcher", [], [CONF], "train")
    with pytest.raises(HydraException, match="write hydra/sweeper=optuna --help hydra.sweeper.n_trials$"):
        explain("hydra.sweeper.n_trials", [], [CONF], "train")
    with pytest.raises(HydraException, match="^--help hydra.sweep.dir: it is Hydra's: .* --cfg hydra shows"):
        explain("hydra.sweep.dir", [], [CONF], "train")


def test_help_is_given_of_all_that_is_named():
    assert help_asked(["--help", "optimizer", "lr"]) == ["optimizer", "lr"]
    assert help_asked(["optimizer=sgd", "--help", "optimizer"]) == ["optimizer"]
    assert help_asked(["--help", "optimizer=sgd"]) == ["optimizer"]
    assert help_asked(["model=vit", "--help"]) == help_asked(["optimizer"]) == []


def test_a_config_file_that_is_no_utf8_does_not_end_the_help_of_all(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss/own.yaml").write_bytes("# Größe\n_target_: torch.nn.MSELoss\n".encode("latin-1"))
    assert "own" in options([tmp_path, CONF], "train")


def test_help_of_one_setting_is_its_line():
    assert explain("scheduler.min_factor", [], [CONF], "train").split() == (
        ["scheduler.min_factor=0.0", "a", "number;", "where", "it", "ends,", "as", "a", "part", "of", "lr"]
    )
    assert explain("seed", [], [CONF], "train").split()[:3] == ["seed=42", "an", "integer,"]
    assert "model.compile=false" in explain("model", [], [CONF], "train")


def test_help_of_what_is_not_there_names_what_is():
    with pytest.raises(HydraException, match="^--help optimzer: no such group or setting; did you mean optimizer?"):
        explain("optimzer", [], [CONF], "train")
    with pytest.raises(HydraException, match="^--help optimizer.x: optimizer=adam has no such setting; --help opt"):
        explain("optimizer.x", [], [CONF], "train")
    with pytest.raises(HydraException, match="has no such setting; write data=landmarks --help data.annotations$"):
        explain("data.annotations", [], [CONF], "train")
    with pytest.raises(HydraException, match="^--help sgd: it is an option: write optimizer=sgd --help optimizer$"):
        explain("sgd", [], [CONF], "train")


@pytest.mark.parametrize(("word", "key"), [("lr", "optimizer.lr"), ("epochs", "trainer.max_epochs")])
def test_help_of_another_word_explains_the_setting_that_is_meant(word, key):
    assert explain(word, [], [CONF], "train") == explain(key, [], [CONF], "train")


@pytest.mark.parametrize(
    ("word", "said"), [("batch_siz", "write --help data.batch_size"), ("device", "write trainer=cpu or trainer=gpu")]
)
def test_help_of_a_word_that_is_no_setting_says_what_to_write(word, said):
    with pytest.raises(HydraException, match=f"^--help {word}: no such group or setting; {said}$"):
        explain(word, [], [CONF], "train")


def test_help_of_settings_in_a_mapping_has_each_of_them():
    text = explain("checkpoint", [], [CONF], "train")
    assert [line.split("=")[0].split()[0] for line in text.splitlines() if line.startswith("  checkpoint")] == [
        "checkpoint",
        "checkpoint.every_n_steps",
        "checkpoint.every_minutes",
        "checkpoint.keep",
    ]


def test_help_of_what_is_not_there_names_each_group_once():
    with pytest.raises(HydraException) as caught:
        explain("nosuch", [], [CONF], "train")
    there = str(caught.value).partition("there is: ")[2].split(", ")
    assert len(set(there)) == len(there)
    assert "model" in there
    assert "model.weights" not in there


def test_help_says_what_each_setting_of_predict_is_and_that_null_is_allowed():
    for key in ("trust", "ckpt", "input", "output"):
        assert re.search(rf"^  {key}=\S+ +\S", explain(key, [], [CONF], "predict"))
    assert "an integer or null, at least -1" in explain("trainer.max_steps", [], [CONF], "train")
    assert "one of stop, rewind" in explain("on_nan", [], [CONF], "train")


def test_help_of_a_group_fits_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, explain("optimizer", [], [CONF], "train").splitlines())) <= 80
    assert "\n\n\n" not in explain("data", [], [CONF], "predict")


def test_help_of_a_group_is_printed_by_the_script(script_here):
    done = script_here("train.py", "--help", "loss")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("loss=OPTION, one of:\n  bce ")
