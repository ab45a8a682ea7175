"""The progress bar, on a terminal of its own."""

import json
import os
import pty
import re
import sys
from types import SimpleNamespace

import pytest
import torch
from scripts import QUICK, REPOSITORY

from litlab.callbacks.steering.prune import Prune
from litlab.callbacks.terminal import progress

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


@pytest.mark.slow
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
    assert f"go on         python {REPOSITORY / 'train.py'} resume=run" in lines
    assert any(line.startswith("verdict       learning: train loss ") for line in lines)
    assert json.loads((tmp_path / "run/result.json").read_text())["status"] == "interrupted"
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h"), "the cursor is back"


def test_a_pipe_gets_lines_within_an_epoch_and_the_best_epoch_is_marked(train_here, monkeypatch):
    assert progress.SILENT_S <= 20, "a line is written after a step, which may take ten seconds"
    monkeypatch.setattr(progress, "SILENT_S", 0)
    done = train_here(*QUICK, "model=mlp", "data.train_limit=320", "trainer.log_every_n_steps=2", "test=false")
    assert done.status == 0, done.err
    assert re.search(
        r"^epoch 1/1  [1-4]/5 batches  loss \d\.\d{4}  [\d,]+ img/s  \d+:\d\d(:\d\d)? left", done.out, re.M
    )
    assert re.search(r"^epoch 1/1  train: .*  \|  val: loss \S+ acc \S+ \(best\)  \|  ", done.out, re.M)


@pytest.mark.slow
def test_evaluate_has_a_bar_on_a_terminal(quick_run, tmp_path):
    checkpoint = quick_run.runs[0] / "checkpoints/best.ckpt"
    arguments = [f"ckpt={checkpoint}", "evaluate=val", "trainer=cpu", "data.eval_batch_size=5"]
    status, shown = on_a_terminal(tmp_path, REPOSITORY / "predict.py", *arguments)
    assert status == 0, shown
    assert re.search(r"val ━*[╸╺]?━* +\d+/100", CODES.sub("", shown))
    assert "expected calibration error" in shown


def test_the_best_epoch_is_known_beside_a_callback_that_prunes():
    """Lightning's `trainer.checkpoint_callback` is the first of its kind, which that one is."""
    assert progress.is_best(ended(step=18, accuracy=0.5), epoch=2)
    assert not progress.is_best(ended(step=40, accuracy=0.4), epoch=3)


@pytest.mark.parametrize(("epoch", "accuracy", "best"), [(2, 0.5, True), (2, 0.4, False), (3, 0.5, False)])
def test_an_epoch_whose_last_validation_is_the_best_is_the_best(epoch, accuracy, best):
    """That validation was in the middle of the epoch, and its numbers are those of the line."""
    assert progress.is_best(ended(step=20, accuracy=accuracy), epoch) == best


def ended(step, accuracy):
    """A Trainer after an epoch. The best validation was after step 18, in the second epoch."""
    saves = SimpleNamespace(best_step=18, best_epoch=2, best_score=0.5, monitor="val/acc")
    metrics = {"val/acc": torch.tensor(accuracy)}
    return SimpleNamespace(checkpoint_callbacks=[Prune("val/acc"), saves], global_step=step, callback_metrics=metrics)
