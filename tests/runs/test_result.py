import json

import pytest

from litlab import runs


def test_a_result_is_read_as_it_was_written(tmp_path):
    assert runs.read_result(tmp_path) == {}
    runs.write_result(tmp_path, {"status": "completed", "metrics": {"val/acc": 0.5}})
    assert runs.read_result(tmp_path) == {"objective": None, "status": "completed", "metrics": {"val/acc": 0.5}}
    assert runs.objective_value(runs.read_result(tmp_path)) is None
    objective = {"name": "val/acc", "mode": "max", "value": 0.5}
    runs.write_result(tmp_path, {"status": "completed", "objective": objective})
    assert runs.objective_value(runs.read_result(tmp_path)) == 0.5


def test_a_run_that_failed_early_says_why(tmp_path):
    runs.write_failed(tmp_path, "no GPU")
    assert json.loads((tmp_path / "result.json").read_text()) == {
        "objective": None,
        "status": "failed",
        "metrics": {},
        "error": "no GPU",
    }


def test_only_finite_numbers_are_written(tmp_path):
    nan = float("nan")
    assert runs.finite({"a": 0.5, "b": nan, "c": float("inf"), "d": "text"}) == {"a": 0.5}
    with pytest.raises(ValueError):
        runs.write_result(tmp_path, {"metrics": {"a": nan}})
    assert not list(tmp_path.iterdir())
