"""The table of metrics, also while its folder is away."""

import csv
import shutil

import pytest

from litlab.callbacks import MetricsCSV


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
