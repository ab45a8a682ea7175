"""What is logged while the disk is full, or the folder away."""

import csv
import errno
import shutil

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow

from litlab.callbacks import MetricsCSV, TensorBoard
from litlab.callbacks.loggers.patient_file import PatientFile
from litlab.callbacks.loggers.tensorboard import masked_crc32c


@pytest.mark.parametrize("data", [b"", b"a", bytes(range(256)) * 9])
def test_checksums_are_tensorboards(data):
    assert int.from_bytes(masked_crc32c(data), "little") == pywrap_tensorflow.masked_crc32c(data)


def folder_away(folder):
    """A folder that is moved, and in whose place none can be made, until it comes back."""
    away = folder.with_name("away")
    folder.rename(away)
    folder.touch()

    def back():
        folder.unlink()
        away.rename(folder)

    return back


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def test_a_file_keeps_what_it_could_not_write(run):
    path = run / "file"
    path.write_bytes(b"head")
    file = PatientFile(path, head=b"head")
    file.write(b" one")
    back = folder_away(run)
    file.write(b" two")
    file.write(b" three")
    assert file.failure.errno == errno.ENOTDIR
    back()
    file.flush()
    assert (path.read_bytes(), file.failure) == (b"head one two three", None)
    with path.open("ab") as other:  # as a disk that was full may leave it
        other.write(b" fo")
    file.write(b" four")
    assert path.read_bytes() == b"head one two three four"
    shutil.rmtree(run)
    run.mkdir()
    file.write(b" five")
    assert path.read_bytes() == b"head five"


@pytest.mark.parametrize("gone", ["away", "removed"])
def test_the_table_has_all_rows(run, capsys, gone):
    table = MetricsCSV(run)
    table.log_metrics({"a": 1.0}, step=0)
    table.log_metrics({"a": 2.0}, step=1)
    if gone == "away":
        back = folder_away(run)
        for step in range(2, 5):
            table.log_metrics({"a": step + 1.0}, step)
        assert table.unsaved == "metrics.csv (Not a directory)"
        assert capsys.readouterr().err.count("warning: not written: metrics.csv") == 1
        back()
    else:
        shutil.rmtree(run)
        run.mkdir()
    table.log_metrics({"a": 6.0, "b": 7.0}, step=5)
    table.save()
    assert table.unsaved is None
    steps = [0, 1, 5] if gone == "removed" else [0, 1, 2, 3, 4, 5]
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["step"]), float(row["a"])) for row in rows] == [(step, step + 1.0) for step in steps]
    assert rows[-1]["b"] == "7.0"


def test_tensorboard_has_all_points(run, capsys):
    board = TensorBoard(run)
    board.log_metrics({"a": 0.0}, step=0)
    board.save()
    back = folder_away(run)
    board.log_metrics({"a": 1.0}, step=1)
    board.save()
    board.log_metrics({"a": 2.0}, step=2)
    assert capsys.readouterr().err.count("warning: not written: TensorBoard's event file (Not a directory)") == 1
    back()
    board.log_metrics({"a": 3.0}, step=3)
    board.save()
    assert board.unsaved is None
    events = EventAccumulator(str(run))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("a")] == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]
