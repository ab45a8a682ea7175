"""What the scripts print: on a narrow terminal, through a pipe, and when the reader leaves."""

import json
import os
import subprocess
import sys

import pytest
from scripts import QUICK, REPOSITORY


def test_commands_are_not_broken_on_a_narrow_terminal(capsys):
    from litlab.console import Terminal

    command = "use it        python predict.py ckpt=runs/mnist_mnist_cnn/2026-01-31_12-00-00 input=IMAGE"
    narrow = Terminal(width=40, force_terminal=True, highlight=False)
    narrow.print(command, soft_wrap=True)
    assert command in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("script", ["train.py", "predict.py"])
def test_a_reader_that_leaves_sees_no_traceback(script):
    pipe = f"{sys.executable} {REPOSITORY / script} --help | head -1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.slow
def test_a_reader_that_leaves_while_hydra_exits_sees_no_traceback():
    """After the last line was printed, and before it was written."""
    read, write = os.pipe()
    slow = (
        "import runpy, sys, time; from litlab import console; flush = console.flush\n"
        "console.flush = lambda: (print('waits', file=sys.stderr, flush=True), time.sleep(2), flush())\n"
        "sys.argv = ['train.py', '--help']; runpy.run_path('train.py', run_name='__main__')"
    )
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [sys.executable, "-c", slow], stdout=write, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY, env=buffered
    )
    os.close(write)
    assert process.stderr.readline() == "waits\n"
    os.close(read)
    assert process.communicate()[1] == ""
    assert process.returncode == 0


@pytest.mark.slow
def test_a_training_whose_reader_leaves_goes_on(tmp_path):
    settings = [*QUICK, "data.train_limit=128", "trainer.max_epochs=3", "hydra.run.dir=run"]
    pipe = f"{sys.executable} {REPOSITORY / 'train.py'} {' '.join(settings)} | head -1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr == ""
    assert json.loads((tmp_path / "run/result.json").read_text())["status"] == "completed"


def test_a_warning_is_one_line(monkeypatch):
    import warnings

    from litlab.console import one_line_warnings

    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)  # put back afterwards
    one_line_warnings()
    assert warnings.formatwarning(UserWarning("two\n  lines"), UserWarning, "file.py", 1) == "warning: two lines\n"
