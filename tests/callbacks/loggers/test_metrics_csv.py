"""The table of metrics, also while its folder is away."""

import csv
import shutil

import pytest

from litlab.callbacks import MetricsCSV
from litlab.callbacks.loggers import metrics_csv


@pytest.mark.parametrize("gone", ["away", "removed"])
def test_the_table_has_all_rows(run, folder_away, capsys, gone):
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


def test_a_table_with_new_columns_is_on_the_disk_before_it_replaces_the_old_one(tmp_path, monkeypatch):
    """After a power cut the file could be empty, and a checkpoint counts its rows."""
    on_disk = []
    monkeypatch.setattr(metrics_csv, "try_to_disk", lambda *paths: on_disk.extend(path.read_text() for path in paths))
    table = MetricsCSV(tmp_path)
    for step, values in enumerate([{"a": 2.0}, {"a": 1.0}, {"b": 1.5}]):
        table.log_metrics(values, step)
        table.save()
    assert [text.splitlines() for text in on_disk] == [["step,a", "0,2.0"], ["step,a,b", "0,2.0,", "1,1.0,", "2,,1.5"]]
