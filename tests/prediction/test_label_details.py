"""How well each label is predicted, in an evaluation. tests/modules/test_multilabel.py compares it with the metrics."""

import json
import math

from litlab.checkpoint import Data
from litlab.prediction.evaluation_result import print_result
from litlab.prediction.label_details import FoundLabels

NAMES = ("cat", "dog", "emu")
DATA = Data("csv", (3, 8, 8), 3, NAMES, (), (0.5,), (0.5,), thresholds=(0.5, 4.54e-05, 0.75))


def test_a_label_that_is_nowhere_true_has_no_average_precision(capsys):
    found = FoundLabels(DATA, [[3, 1, 5, 1, 4], [0, 0, 8, 2, 2], [0, 0, 10, 0, 0]], [0.9, 0.5, math.nan])
    classes = json.loads(json.dumps(found.values, allow_nan=False))["classes"]
    assert classes["cat"] == {
        "threshold": 0.5, "average_precision": 0.9, "precision": 0.75, "recall": 0.75, "f1": 0.75, "images": 4
    }  # fmt: skip
    assert classes["dog"]["recall"] == classes["dog"]["f1"] == 0
    assert classes["emu"]["average_precision"] is None
    result = {"split": "val", "images": 10, "metrics": {}, **found.values}
    print_result(result, "labels")
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["cat", "0.5000", "0.9000", "0.7500", "0.7500", "0.7500", "4"] in printed
    assert ["dog", "4.5e-05", "0.5000", "0.0000", "0.0000", "0.0000", "2"] in printed
    assert ["emu", "0.7500", "0.0000", "0.0000", "0.0000", "0"] in printed
