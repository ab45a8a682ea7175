"""What a user sees while a run goes on: on a terminal, through a pipe, and when the reader leaves."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest
from scripts import QUICK, REPOSITORY

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_a_terminal(folder, *arguments, interrupt_at: bytes | None = None, columns: int = 80) -> tuple[int, str]:
    """Runs a script on a terminal of its own, and types Ctrl-C once it shows `interrupt_at`; status, and the screen."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color"}
        os.execve(sys.executable, [sys.executable, *map(str, arguments)], environment)
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 2**16)
        except OSError:  # the script has ended
            break
        if interrupt_at and interrupt_at in shown:
            os.write(terminal, b"\x03")
            interrupt_at = None
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown.decode()


def test_a_terminal_has_a_bar_and_ctrl_c_says_how_to_go_on(tmp_path):
    settings = [*QUICK, "trainer.max_epochs=99", "callbacks.progress.refresh_seconds=0.01", "hydra.run.dir=run"]
    status, shown = on_a_terminal(
        tmp_path, REPOSITORY / "train.py", *settings, "trainer.log_every_n_steps=5", interrupt_at=b"epoch 3/99 "
    )
    assert status == 130
    frames = [line for line in re.split(r"[\r\n]+", CODES.sub("", shown)) if "━" in line]
    bar = r"epoch 2/99 ━*[╸╺]?━* +\d+/55 loss 0\.\d{4}  val acc 0\.\d{4}  [\d,]+ img/s  \d+:\d\d(:\d\d)? left"
    assert any(re.match(bar, frame) for frame in frames), frames[-5:]
    assert any(frame.startswith("validation") for frame in frames)
    lines = CODES.sub("", shown).replace("\r", "\n").splitlines()
    assert sum(line.startswith("epoch 1/99  train: loss ") for line in lines) == 1, "a line that stays"
    assert "go on         python train.py resume=run" in lines
    assert any(line.startswith("verdict       learning: train loss ") for line in lines)
    assert json.loads((tmp_path / "run/result.json").read_text())["status"] == "interrupted"
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h"), "the cursor is back"


def test_evaluate_has_a_bar_on_a_terminal(quick_run, tmp_path):
    checkpoint = quick_run.runs[0] / "checkpoints/best.ckpt"
    arguments = [f"ckpt={checkpoint}", "evaluate=val", "trainer=cpu", "data.eval_batch_size=5"]
    status, shown = on_a_terminal(tmp_path, REPOSITORY / "predict.py", *arguments)
    assert status == 0, shown
    assert re.search(r"val ━*[╸╺]?━* +\d+/100", CODES.sub("", shown))
    assert "expected calibration error" in shown


def test_commands_are_not_broken_on_a_narrow_terminal(capsys):
    from litlab.console import Terminal

    command = "use it        python predict.py ckpt=runs/mnist_mnist_cnn/2026-01-31_12-00-00 input=IMAGE"
    narrow = Terminal(width=40, force_terminal=True, highlight=False)
    narrow.print(command, soft_wrap=True)
    assert command in capsys.readouterr().out


@pytest.mark.parametrize("script", ["train.py", "predict.py"])
def test_a_reader_that_leaves_sees_no_traceback(script):
    pipe = f"{sys.executable} {REPOSITORY / script} --help | head -1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


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
