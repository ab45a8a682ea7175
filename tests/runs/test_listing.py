import json
import os
import subprocess
import sys
import time

import pytest
from omegaconf import OmegaConf

from litlab import runs
from litlab.console import Terminal
from litlab.runs.listing import as_json, as_table, in_order, runs_in

RUNS = {  # folder below runs/: objective, its value, the test set
    "a_b/2026-01-02_03-04-05": ("val/acc", 0.9, {"test/acc": 0.8, "test/loss": 0.3}),
    "a_b/good": ("val/acc", 0.99, {"test/acc": 0.7}),
    "c_d/sweep_2026-01-01_00-00-00/seed=1": ("val/loss", 0.5, {"test/acc": 0.6, "test/loss": 0.4}),
    "c_d/sweep_2026-01-01_00-00-00/seed=2": ("val/loss", 0.25, {}),
}


@pytest.fixture
def listed(tmp_path):
    """Four completed runs and one that was killed."""
    for name, (objective, value, tests) in RUNS.items():
        folder = tmp_path / name
        record(folder, *name.split("/")[0].split("_"))
        mode = "max" if objective == "val/acc" else "min"
        score = {"name": objective, "mode": mode, "value": value}
        runs.write_result(folder, {"status": "completed", "objective": score, "metrics": tests, "epochs": 3})
    record(tmp_path / "a_b/cut", "a", "b")
    before = time.time() - 60
    os.utime(tmp_path / "a_b/cut" / runs.HYDRA, (before, before))
    return tmp_path


def record(folder, data, network):
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save({}, folder / runs.CONFIG)
    choices = {"experiment": None, "model": network, "data": data, "hydra/help": "default"}
    OmegaConf.save({"hydra": {"runtime": {"cwd": ".", "choices": choices}, "verbose": False}}, folder / runs.HYDRA)


def test_each_run_is_told_from_its_folder(listed):
    found = {run.name: run for run in runs_in(listed)}
    first = found["2026-01-02_03-04-05"]
    assert (first.when, first.data, first.network, first.status) == ("2026-01-02 03:04:05", "a", "b", "completed")
    assert (first.objective, first.test, first.test_name) == (0.9, 0.8, "test/acc")
    job = found["sweep_2026-01-01_00-00-00/seed=1"]
    assert (job.when, job.data, job.test, job.test_name) == ("2026-01-01 00:00:00", "c", 0.4, "test/loss")
    assert found["good"].when.startswith("20")
    assert (found["cut"].status, found["cut"].objective, found["cut"].test) == ("killed", None, None)


def test_a_run_that_has_lost_its_config_is_listed_by_its_result(listed):
    for name, checkpoint in (("whole", runs.BEST), ("other", "result.ckpt")):
        folder = listed / "d_e" / name
        (folder / "checkpoints").mkdir(parents=True)
        (folder / checkpoint).touch()
        result = {"dataset": {"name": "d"}, "config": {"model._target_": "mylab.E"}, "metrics": None, "epochs": 2}
        runs.write_result(folder, {"status": "completed", **result})
    lost = [run for run in runs_in(listed) if "d_e" in run.folder]
    assert [(run.name, run.data, run.network, run.status, run.epochs) for run in lost] == [
        ("d_e/whole", "d", "E", "completed", 2)
    ]


@pytest.mark.parametrize("written", [b"  choices: [1\n", b"    choices:\n      a: [1\n", b"\xff"])
def test_a_run_with_a_damaged_record_is_listed_without_its_options(listed, written):
    (listed / "a_b/good" / runs.HYDRA).write_bytes(written)
    (good,) = (run for run in runs_in(listed) if run.folder.endswith("good"))
    assert (good.data, good.network, good.objective) == ("", "", 0.99)


def test_a_run_is_running_while_its_folder_is_locked(listed):
    lock = runs.hold(listed / "a_b/cut")
    assert {run.name: run.status for run in runs_in(listed)}["cut"] == "running"
    os.close(lock)


def test_a_run_that_imports_torch_is_starting(listed):
    record(listed / "a_b/new", "a", "b")
    assert {run.name: run.status for run in runs_in(listed)}["new"] == "starting"


@pytest.mark.parametrize("left", ["metrics.csv", "checkpoints"])
def test_a_run_that_was_killed_after_it_has_trained_is_not_starting(listed, left):
    """Although it began only now."""
    record(listed / "a_b/new", "a", "b")
    (listed / "a_b/new" / left).mkdir()
    assert {run.name: run.status for run in runs_in(listed)}["new"] == "killed"


@pytest.mark.parametrize(
    ("column", "order"),
    [
        ("objective", ["good", "2026-01-02_03-04-05", "seed=2", "seed=1", "cut"]),
        ("name", ["2026-01-02_03-04-05", "cut", "good", "seed=1", "seed=2"]),
    ],
)
def test_values_are_sorted_the_best_first_and_runs_without_one_come_last(listed, column, order):
    assert [run.name.rpartition("/")[2] for run in in_order(runs_in(listed), column)] == order


def test_the_values_on_the_test_set_are_sorted_by_their_metric(listed):
    names = [run.name.rpartition("/")[2] for run in in_order(runs_in(listed), "test")]
    assert names[:3] == ["2026-01-02_03-04-05", "good", "seed=1"]
    assert set(names[3:]) == {"cut", "seed=2"}


def test_the_times_are_sorted_the_oldest_first(listed):
    names = [run.name for run in in_order(runs_in(listed), "when")]
    assert names[:3] == [*(f"sweep_2026-01-01_00-00-00/seed={seed}" for seed in (1, 2)), "2026-01-02_03-04-05"]
    backwards = [run.name for run in in_order(runs_in(listed), "when", backwards=True)]
    assert backwards[-1].startswith("sweep")


def test_the_table_and_json_have_every_run(listed):
    console = Terminal(width=200)
    with console.capture() as captured:
        console.print(as_table(runs_in(listed)))
    line = next(line for line in captured.get().splitlines() if " good " in line)
    assert line.split()[-7:] == ["a", "b", "completed", "val/acc", "0.9900", "test/acc", "0.7000"]
    told = json.loads(as_json(runs_in(listed)))
    assert {entry["folder"] for entry in told} == {str(listed / name) for name in [*RUNS, "a_b/cut"]}


def test_a_metric_that_all_runs_share_is_named_above_its_column(listed):
    console = Terminal(width=80)
    with console.capture() as captured:
        console.print(as_table(runs_in(listed / "a_b")))
    head, _, *rows = filter(str.strip, captured.get().splitlines())
    assert head.split() == ["name", "when", "data", "network", "status", "val/acc", "test/acc"]
    assert next(row for row in rows if row.strip().startswith("good ")).split()[-5:] == [
        "a",
        "b",
        "completed",
        "0.9900",
        "0.7000",
    ]
    assert next(row for row in rows if row.strip().startswith("2026")).split()[1].endswith("01-02")


@pytest.mark.parametrize("text", ["{", "[]", '{"objective": "x"}'])
def test_a_damaged_result_does_not_hide_the_other_runs(listed, text):
    (listed / "a_b/good/result.json").write_text(text)
    assert {run.name: run.status for run in runs_in(listed)}["good"] == "damaged"


def test_the_command_lists_the_runs_below_a_folder(listed):
    def call(*arguments):
        command = [sys.executable, "-m", "litlab.runs", *arguments]
        return subprocess.run(command, cwd=listed, capture_output=True, text=True)

    shown = call("a_b", "--sort", "objective")
    assert shown.returncode == 0, shown.stderr
    assert [line.split()[0] for line in shown.stdout.splitlines()[3:-1]] == ["good", "2026-01-02_03-04-05", "cut"]
    assert len(json.loads(call(".", "--json").stdout)) == 5
    missing = call()
    assert (missing.returncode, missing.stderr) == (2, "error: runs: no such folder\n")


def test_a_terminal_that_cannot_show_a_name_gets_its_characters_as_codes(listed):
    (listed / "a_b/good").rename(listed / "a_b/gr\u00f6\u00dfe_\u732b")
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-m", "litlab.runs", listed], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "gr\u00f6\u00dfe_\\u732b" in done.stdout.decode("cp1252")


def test_a_reader_that_leaves_early_gets_no_traceback(listed):
    done = subprocess.run(
        [*("bash", "-c"), f"{sys.executable} -u -m litlab.runs {listed} --json | head -1"],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert (done.stdout, done.stderr) == ("[\n", "")


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (100, ["name", "when", "data", "network", "status", "val/acc", "test/acc"]),
        (79, ["name", "data", "network", "status", "val/acc", "test/acc"]),
        (65, ["name", "data", "status", "val/acc", "test/acc"]),
        (60, ["name", "status", "val/acc", "test/acc"]),
    ],
)
def test_a_narrow_list_leaves_out_columns_before_it_folds_a_name(tmp_path, width, columns):
    run = tmp_path / "mnist_sample_mnist_cnn/2026-01-02_03-04-05"
    record(run, "mnist_sample", "mnist_cnn")
    objective = {"name": "val/acc", "mode": "max", "value": 0.5}
    runs.write_result(run, {"status": "completed", "objective": objective, "metrics": {"test/acc": 0.5}})
    console = Terminal(width=width)
    with console.capture() as captured:
        console.print(as_table(runs_in(tmp_path), width))
    head, _, row = filter(str.strip, captured.get().splitlines())
    assert head.split() == columns
    assert row.split()[0] == "2026-01-02_03-04-05"


def test_a_long_name_is_folded_and_no_row_is_wider_than_the_terminal(listed):
    (listed / "a_b/good").rename(listed / ("a_b/" + "long" * 10))
    console = Terminal(width=80)
    with console.capture() as captured:
        console.print(as_table(runs_in(listed), 80))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert "".join(line.split()[0] for line in lines if "long" in line) == "long" * 10


def test_a_narrow_list_of_runs_with_different_metrics_keeps_every_name_and_number(listed):
    (listed / "a_b/good").rename(listed / "a_b/a_long_name_of_a_run")
    for run, data in ((listed / "a_b/a_long_name_of_a_run", "fashion_mnist_of_somebody"), (listed / "a_b/cut", "a")):
        hydra = run / ".hydra/hydra.yaml"
        hydra.write_text(hydra.read_text().replace("data: a\n", f"data: {data}\n"))
    console = Terminal(width=80)
    with console.capture() as captured:
        console.print(as_table(runs_in(listed), 80))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= 80
    whole = "".join(line.split()[0] for line in lines[2:] if line.strip() and not line.startswith("  "))
    assert "a_long_name_of_a_run" in whole
    for word in ("completed", "val/acc", "0.9900", "test/acc", "0.7000"):
        assert any(word in line for line in lines)
