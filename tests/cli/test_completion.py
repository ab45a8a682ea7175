"""The Tab key completes commands, options and settings in bash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import REPOSITORY

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="needs bash")

# What bash does when Tab is pressed at the end of a line: it sets these variables, and calls the function.
PRESSED = """
tab() {
    COMP_LINE=$1 COMP_POINT=${#1}
    read -ra COMP_WORDS <<< "$1"
    COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
    COMPREPLY=()
    $function
    echo "${COMPREPLY[@]}"
}
"""


def press(folder, install: str, function: str, *lines: str) -> list[list[str]]:
    """What is offered at the end of each line, in a bash that has evaluated the script of a program."""
    (folder / "litlab").write_text(f'#!/bin/sh\nexec {sys.executable} -m litlab.cli.program "$@"\n')
    (folder / "litlab").chmod(0o755)
    code = f'eval "$({install} -sc install=bash)"\nfunction={function}\n{PRESSED}\n'
    code += "\n".join(f"tab '{line}'" for line in lines)
    path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run([BASH, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


OPTIMIZERS = ["adam", "adamw", "muon", "sgd"]


def test_litlab_is_completed(tmp_path):
    lines = ["litlab tr", "litlab train optimizer=", "litlab train data=mnist optimizer.l"]
    words, options, settings = press(tmp_path, "litlab train", "_litlab_complete", *lines)
    assert words == ["train"]
    assert options == OPTIMIZERS, "without `optimizer=`, since bash takes = for the end of a word"
    assert settings == ["optimizer.layer_decay=", "optimizer.lr="]


@pytest.mark.slow
def test_a_script_of_a_clone_is_completed(tmp_path):
    shutil.copy(REPOSITORY / "train.py", tmp_path)
    lines = ["python train.py optimizer=", "python train.py optimizer.l"]
    options, settings = press(tmp_path, "python train.py", "hydra_bash_completion", *lines)
    assert options == [f"optimizer={name}" for name in OPTIMIZERS]
    assert settings == ["optimizer.layer_decay=", "optimizer.lr="]


def test_another_shell_is_refused_in_one_line(tmp_path):
    command = [sys.executable, "-m", "litlab.cli.program", "train", "-sc", "install=tcsh"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2,
        "error: -sc install=tcsh: there is install=bash and uninstall=bash\n",
    )
