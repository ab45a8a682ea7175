"""`predict.py` on the command line: help, and paths as they were typed."""

import subprocess
import sys

import pytest
from omegaconf import OmegaConf
from scripts import REPOSITORY

from litlab.cli import literal


def test_help_needs_nothing():
    done = subprocess.run([sys.executable, REPOSITORY / "predict.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "evaluate=test" in done.stdout
    assert "include_preprocess" in done.stdout


@pytest.mark.parametrize(
    "value", ["a.png", "x (1).png", "a,b", "a=b", "it's", 'say "hi"', "a\\'b", "back\\", "${HOME}", "~/x", "1.5", "a#b"]
)
def test_a_path_survives_hydra(value):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    override = OverridesParser.create().parse_override(literal(f"input={value}", ["input"]))
    assert OmegaConf.create({"input": override.value()}).input == value


@pytest.mark.parametrize(
    "argument", ["input=[a,b]", "input='a b'", "input=null", "input=", "other=a,b", "evaluate=test"]
)
def test_what_is_written_for_hydra_stays(argument):
    assert literal(argument, ["input"]) == argument
