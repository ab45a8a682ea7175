"""The command `litlab` itself."""

import sys

import pytest

import litlab
from litlab import console
from litlab.cli.program import main


def said(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["litlab", *arguments])
    try:
        main()
        status = 0
    except SystemExit as ended:
        status = ended.code
    return status, *capsys.readouterr()


def test_without_a_command_it_says_what_there_is(monkeypatch, capsys):
    for arguments in ((), ("--help",)):
        status, out, _ = said(monkeypatch, capsys, *arguments)
        assert status == 0
        assert [word in out for word in ("litlab train", "litlab predict", "litlab sweeps", "litlab new")] == [True] * 4
    assert said(monkeypatch, capsys, "--version") == (0, f"litlab {litlab.__version__}\n", "")


def test_an_unknown_command_is_one_line(monkeypatch, capsys):
    status, _, err = said(monkeypatch, capsys, "trian")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith("error: trian: no such command; did you mean train?")


@pytest.mark.parametrize(("arguments", "status"), [((), 2), (("--help",), 0), (("my-lab",), 2)])
def test_new_says_how_it_is_called(monkeypatch, capsys, tmp_path, arguments, status):
    monkeypatch.chdir(tmp_path)
    assert said(monkeypatch, capsys, "new", *arguments)[0] == status
    assert not list(tmp_path.iterdir())


def test_a_project_needs_a_name(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    message = "error: litlab new '': the name is empty: write litlab new FOLDER\n"
    assert said(monkeypatch, capsys, "new", "") == (2, "", message)


def test_the_report_of_a_sweep_is_a_command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert said(monkeypatch, capsys, "sweeps", "none") == (2, "", "error: none: no such folder\n")
    assert console.command("train.py", "-m") == "litlab train -m", "as the command that a report prints"
