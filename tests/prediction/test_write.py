"""Predictions on the terminal and in files."""

import io
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from predictions import rows
from rich.cells import cell_len

from litlab.errors import RunFailed
from litlab.prediction.files import PictureFiles
from litlab.prediction.tasks import Prediction
from litlab.prediction.write import Sheet, table_printer


def test_bad_files_do_not_stop_the_others(ckpt, digits, use, tmp_path, capsys):
    folder, _ = digits
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    (mixed / "a_folder.jpg").mkdir()
    (mixed / "empty.png").touch()
    (mixed / "text.png").write_text("no")
    (mixed / "link.png").symlink_to("nowhere")
    (mixed / "notes.txt").write_text("not looked at")
    with pytest.raises(RunFailed, match="4 of 16 files could not be read") as caught:
        use(ckpt, f"input={mixed}")
    assert caught.value.status == 1
    table = {Path(row["file"]).name: row for row in rows(tmp_path / "predictions")}
    assert len(table) == 16
    for name, reason in (
        ("a_folder.jpg", "a folder"),
        ("empty.png", "empty"),
        ("text.png", "not a"),
        ("link.png", "link"),
    ):
        assert reason in table[name]["error"]
        assert table[name]["class"] == ""
    assert sum(row["error"] == "" for row in table.values()) == 12
    assert "not read: empty" in capsys.readouterr().out


def test_control_codes_in_file_names_are_escaped(ckpt, digits, use, tmp_path, capsys):
    name = "\x1b[2J[red]\n.png"
    shutil.copy(digits[0] / "00_7.png", tmp_path / name)
    shutil.copy(digits[0] / "00_7.png", os.fsencode(tmp_path) + b"/\xff.png")
    use(ckpt, f"input={tmp_path}")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert r"\x1b[2J[red]\n.png" in out
    assert len(rows(tmp_path / "predictions")) == 2


def test_a_terminal_that_cannot_show_a_name_loses_no_predictions(ckpt, digits, script_here, tmp_path, monkeypatch):
    (tmp_path / "猫").mkdir()
    for name in ("Bär.png", "猫.png", "z.png"):
        shutil.copy(digits[0] / "00_7.png", tmp_path / "猫" / name)
    terminal = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, "cp1252"))
    assert script_here("predict.py", "trainer=cpu", ckpt, "input=猫").status == 0
    sys.stdout.flush()
    printed = terminal.getvalue().decode("cp1252")
    assert r"\u732b/Bär.png" in printed
    assert r"\u732b/\u732b.png" in printed
    assert [row["file"] for row in rows(tmp_path / "predictions")] == ["猫/Bär.png", "猫/z.png", "猫/猫.png"]


def test_a_reader_that_leaves_loses_no_predictions(ckpt, digits, use, tmp_path, monkeypatch):
    """As in `python predict.py ... quiet=true | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(os.fdopen(writer, "wb", 0), write_through=True))
    left: list[bool] = []
    monkeypatch.setattr("litlab.prediction.write.leave_standard_output", lambda: left.append(True))
    use(ckpt, f"input={digits[0]}", "quiet=true")
    assert left
    assert len(rows(tmp_path / "predictions")) == 12


def test_quiet_prints_one_line_for_each_file(ckpt, digits, use, tmp_path, capsys):
    (tmp_path / "bad.png").touch()
    with pytest.raises(RunFailed):
        use(ckpt, f"input=[{digits[0]}/00_7.png,bad.png]", "quiet=true")
    captured = capsys.readouterr()
    file, digit, probability = captured.out.rstrip("\n").split("\t")
    assert (file, digit) == (f"{digits[0]}/00_7.png", "7")
    assert 0.3 < float(probability) <= 1
    assert captured.err == "bad.png: empty\n"


def test_a_path_that_is_too_long_keeps_the_columns_and_its_end(capsys):
    trained = SimpleNamespace(task="Classification", data=SimpleNamespace(class_names=("cat", "dog")))
    files = ["a.png", "folder/" * 12 + "b.png"]
    with table_printer(files, trained) as write:
        for file in files:
            write(Prediction(file, columns=["dog", "0.9"]))
    heading, short, long = capsys.readouterr().out.splitlines()
    assert heading.index("class") == short.index("dog") == long.index("dog")
    assert long.startswith("...")
    assert "folder/b.png  dog" in long


def test_chinese_names_keep_the_columns(capsys):
    names = ("猫", "大熊猫与小狗", "Küchentür")
    trained = SimpleNamespace(task="Classification", data=SimpleNamespace(class_names=names))
    files = ["猫/1.png", "a.png", "照片/" * 20 + "b.png"]
    with table_printer(files, trained) as write:
        for file, name in zip(files, names, strict=True):
            write(Prediction(file, columns=[name, "0.9"]))
    heading, *lines = capsys.readouterr().out.splitlines()
    column = heading.index("probability")
    assert [cell_len(line[: line.index("0.9", 2)]) for line in lines] == [column] * 3
    assert lines[2].startswith("...")


def test_a_picture_with_several_labels_keeps_the_columns(capsys):
    trained = SimpleNamespace(task="Multilabel", data=SimpleNamespace(class_names=("draußen", "straße", "nacht")))
    files = [f"{number:03}.png" for number in range(70)]
    with table_printer(files, trained) as write:
        for number, file in enumerate(files):
            several = ["draußen, straße", "0.9876, 0.8765", "nacht 0.2000"]
            one = ["nacht", "0.7654", "straße 0.1000, draußen 0.0500"]
            bad = {"error": "not a picture in a format that Pillow reads"}
            write(Prediction(file, **({"columns": several if number == 5 else one} if number != 6 else bad)))
            if number == 62:
                assert capsys.readouterr().out == ""
    heading, *rows = capsys.readouterr().out.splitlines()
    assert [row[:7] for row in rows] == files
    starts = [heading.index(name) for name in ("labels", "probabilities", "next best")]
    assert [rows[5].index(text) for text in ("draußen", "0.9876", "nacht 0.2")] == starts
    for row in (rows[0], rows[69]):
        assert [row.index(text) for text in ("nacht", "0.7654", "straße 0.1")] == starts
    assert rows[6] == "006.png  not read: not a picture in a format that Pillow reads"


def test_a_table_shows_its_rows_where_something_fails(capsys):
    trained = SimpleNamespace(task="Multilabel", data=SimpleNamespace(class_names=("a", "b")))

    def fail():
        with table_printer(["1.png"], trained) as write:
            write(Prediction("1.png", error="empty"))
            raise RunFailed("no file could be read")

    with pytest.raises(RunFailed):
        fail()
    assert capsys.readouterr().out.splitlines()[1] == "1.png  not read: empty"


def test_the_sheet_shows_pictures_from_all_over_a_long_list():
    chosen = PictureFiles([f"{n}.png" for n in range(6400)], SimpleNamespace(data=None), False, 64).on_sheet
    assert chosen == set(range(0, 6400, 100))
    assert PictureFiles(["a", "b", "c"], SimpleNamespace(data=None), False, 64).on_sheet == {0, 1, 2}
    assert PictureFiles([], SimpleNamespace(data=None), False, 64).on_sheet == set()


def test_the_sheet_of_earlier_pictures_does_not_stay_beside_new_predictions(tmp_path):
    (tmp_path / "predictions.png").touch()
    assert not Sheet(100).write(tmp_path / "predictions.png")  # none of the pictures for the sheet could be read
    assert list(tmp_path.iterdir()) == []
