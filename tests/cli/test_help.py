import re
import subprocess
import sys

from scripts import REPOSITORY

from litlab.cli.help import described, options

CONF = REPOSITORY / "conf"


def test_every_option_says_what_it_is():
    files = list(CONF.glob("*/*.yaml"))
    assert len(files) > 40
    assert [file for file in files if not described(file)] == []
    assert described(CONF / "model/lenet5.yaml") in options([CONF], "train")
    assert "export:" not in options([CONF], "train")
    assert "model:" not in options([CONF], "predict")


def test_help_lists_the_groups_and_says_what_each_option_is():
    done = subprocess.run(
        [sys.executable, REPOSITORY / "train.py", "--help"], capture_output=True, text=True, check=True
    )
    for group in ("data", "model", "loss", "optimizer", "scheduler", "trainer", "experiment"):
        assert f"\n{group}:" in done.stdout
    assert re.search(r"^  resnet18 +ResNet-18: residual blocks", done.stdout, re.M)
    assert re.search(r"^  linear_regression +A line through six points", done.stdout, re.M)


def test_what_is_for_hydra_does_not_describe_an_option(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("# @package _global_\n# The first words.\n# More.\nkey: 1 # a setting\n")
    assert described(file) == "The first words."
    file.write_text("key: 1 # a setting\n")
    assert described(file) == ""
