import logging
import os
import re
import subprocess
import sys

import pytest

from litlab import console


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), ("abcdef", "a, b and 4 more"), ([1, 2, 3], "1, 2 and 1 more")],
)
def test_long_lists_are_cut(names, text):
    assert console.listed(names, most=2) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0000"), (0.98765, "0.9877"), (123.45678, "123.4568"), (1e-5, "1e-05"), (23456.7, "2.346e+04")],
)
def test_a_metric_has_four_decimals_or_four_digits(value, text):
    assert console.number(value) == text


def test_what_would_move_the_cursor_is_printed_as_its_code():
    assert console.printable("a\x1b[2J\n\u202eb") == r"a\x1b[2J\n\u202eb"
    assert console.printable("कष\u200d म") == "कष\u200d म"


def test_only_rank_0_prints(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    console.say("a")
    console.warn("b")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("RANK", "0")
    console.say("[a]")
    console.warn("b")
    assert capsys.readouterr() == ("[a]\n", "warning: b\n")


def test_a_warning_before_there_is_a_log_is_printed_once(monkeypatch, capsys):
    """Python itself prints a warning for which there is no handler."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(console.log, "handlers", [])
    console.warn("last.ckpt is damaged")
    assert capsys.readouterr().err == "warning: last.ckpt is damaged\n"


def test_a_run_logs_what_it_prints(tmp_path, monkeypatch, capsys):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    console.log_to(tmp_path)
    console.say("epoch 1/2")
    console.warn("no GPU")
    for handler in root.handlers:
        handler.close()
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert [re.sub(r"^\S+ \S+ ", "", line) for line in lines] == ["INFO epoch 1/2", "WARNING no GPU"]


def test_a_log_goes_on_in_a_folder_that_is_made_anew(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with console.logged_to(folder):
        console.say("before")
        folder.rename(tmp_path / "removed")
        folder.mkdir()
        console.reopen_log(folder)
        console.say("after")
    assert (tmp_path / "removed/train.log").read_text().endswith("INFO before\n")
    assert (folder / "train.log").read_text().endswith("INFO after\n")


def test_a_console_is_quiet_when_its_reader_has_left():
    read, write = os.pipe()
    os.close(read)
    standard_output = os.dup(1)
    terminal = console.Terminal(file=os.fdopen(write, "w", buffering=1))
    try:
        terminal.print("nobody reads this")
        terminal.print("nor this")
    finally:
        os.dup2(standard_output, 1)
        os.close(standard_output)
    assert terminal.quiet


@pytest.mark.parametrize(
    ("typed", "arguments", "printed"),
    [
        ("train.py", ["resume=runs/a"], "python predict.py resume=runs/a"),
        ("./train.py", ["ckpt=my runs/a", "trust=[mine]"], "python predict.py 'ckpt=my runs/a' 'trust=[mine]'"),
        ("../clone/train.py", ["ckpt=a"], "python ../clone/predict.py ckpt=a"),
        ("my clone/train.py", [], "python 'my clone/predict.py'"),
        ("/usr/lib/python3/notebook.py", ["ckpt=a"], "python predict.py ckpt=a"),
    ],
)
def test_a_command_is_printed_so_that_it_can_be_pasted(monkeypatch, typed, arguments, printed):
    monkeypatch.setattr("sys.argv", [typed])
    assert console.command("predict.py", *arguments) == printed


def test_where_litlab_is_installed_a_command_is_one_of_litlab(monkeypatch):
    monkeypatch.setenv(console.INSTALLED, "1")
    assert console.command("predict.py", "ckpt=my runs/a") == "litlab predict 'ckpt=my runs/a'"
    assert console.typed("train") == "litlab train"


def test_where_there_is_no_script_a_command_is_one_of_litlab(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["/usr/lib/litlab/sweeps/__main__.py"])
    monkeypatch.chdir(tmp_path)
    assert console.command("train.py", "-m") == "litlab train -m"


DDP_OF_ONE_CHANNEL = """
import sys
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from litlab.console import quieten

if sys.argv[2] == "quiet":
    quieten()
torch.distributed.init_process_group("gloo", init_method=f"file://{sys.argv[1]}", rank=0, world_size=1)
convolution = nn.Conv2d(1, 4, 3).to(memory_format=torch.channels_last)
convolution.weight.register_hook(lambda gradient: torch.zeros(4, 9).view(4, 1, 3, 3))  # with the strides of cuDNN
network = DistributedDataParallel(convolution)
network(torch.ones(2, 1, 8, 8)).sum().backward()
"""


@pytest.mark.parametrize(("how", "warnings"), [pytest.param("loud", 1, marks=pytest.mark.slow), ("quiet", 0)])
@pytest.mark.slow
def test_ddp_does_not_warn_of_the_strides_of_a_single_channel(how, warnings, tmp_path):
    command = [sys.executable, "-c", DDP_OF_ONE_CHANNEL, str(tmp_path / "rendezvous"), how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.count("UserWarning: Grad strides do not match") == warnings
