"""`python -m litlab.cli.schema FOLDER` and `python -m litlab.cli.reference FOLDER`: what they say of a mistake."""

import sys

import pytest

from litlab.cli.folder_asked import folder_asked

USAGE = "Writes files.\n\npython -m it FOLDER\n"


def said(monkeypatch, capsys, *words: str, **more) -> tuple[int | None, str, str]:
    monkeypatch.setattr(sys, "argv", ["it", *words])
    with pytest.raises(SystemExit) as ended:
        folder_asked(USAGE, **more)
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_help_prints_what_the_command_does(monkeypatch, capsys):
    assert said(monkeypatch, capsys, "--help") == (None, USAGE, "")


def test_a_mistake_is_one_line_with_an_example(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").touch()
    for words, mistake in {
        (): "name one folder",
        ("a", "b"): "name one folder",
        ("--nonsense",): "name one folder",
        (str(tmp_path / "file"),): f"{tmp_path / 'file'}: is no folder",
    }.items():
        assert said(monkeypatch, capsys, *words) == (2, "", f"error: {mistake}: python -m it FOLDER\n")
    missing = said(monkeypatch, capsys, str(tmp_path), containing="train.yaml")
    assert missing == (2, "", f"error: {tmp_path}: has no train.yaml: python -m it FOLDER\n")


def test_a_folder_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["it", str(tmp_path / "new")])
    assert folder_asked(USAGE) == tmp_path / "new"
