"""The report of a sweep: the ranked table, `sweep.csv`, and what to type next."""

import shlex
import shutil

import pytest
from sweep_folders import job_of, rows, scored

from litlab import sweeps
from litlab.sweeps.halving import write_until
from litlab.sweeps.jobs import Job
from litlab.sweeps.seeds import groups
from litlab.sweeps.stopping import refused
from litlab.sweeps.table import command_of


def test_jobs_are_ranked_and_failures_are_rows(swept):
    assert swept.status == 1
    assert swept.err.splitlines()[-1] == "failed: 2 of the sweep's jobs did not complete"
    table = rows(swept.folder)
    assert [row["status"] for row in table] == ["completed"] * 4 + ["failed"] * 2
    assert "the loss became" in table[-1]["error"]
    scores = [float(row["objective"]) for row in table[:4]]
    assert scores == sorted(scores, reverse=True)
    assert [row["optimizer.lr"] for row in table[:2]] == ["0.003", "0.003"]
    assert list(table[0])[:3] == ["rank", "optimizer.lr", "seed"]  # only what differs
    assert {path.parents[1].name for path in swept.folder.glob("runs/s/*/.hydra/config.yaml")} == {
        f"optimizer.lr={lr},seed={seed}" for lr in ("0.0001", "0.003", "1e+30") for seed in (1, 2)
    }


def test_report_says_what_to_type_next(swept):
    best = rows(swept.folder)[0]
    assert f"best job      runs/s/{best['folder']}/checkpoints/best.ckpt" in swept.out
    assert f"optimizer.lr=0.003 seed={best['seed']}" in swept.out.split("repeat it")[1]
    assert "mean val/acc" in swept.out


def test_mean_and_deviation_over_seeds(swept):
    found = groups(sweeps.read(swept.folder / "runs/s"))
    assert list(found) == [("0.003",), ("0.0001",)]
    assert all(len(scores) == 2 for scores in found.values())


def test_a_seed_counts_once(tmp_path):
    for name, seeds in (("a", ["seed=42"]), ("b", []), ("c", ["seed=1"])):
        job_of(tmp_path, name, seeds, **scored(0.5) | {"config": {"seed": int(seeds[0][5:]) if seeds else 42}})
    assert groups(sweeps.read(tmp_path)) == {(): [0.5, 0.5]}


def test_brackets_are_shown_as_they_were_typed(tmp_path, capsys):
    overrides = ["+data.note='a b'", "~callbacks.speed=null", "data.data_dir=[/a,/b]"]
    job_of(tmp_path, "a", [*overrides, "data.augment=[random_crop]"], **scored(0.5))
    job_of(tmp_path, "b", [*overrides, "data.augment=[cutout]"], status="failed", error="[/b]: no such folder :bug:")
    sweeps.print_report(tmp_path)
    said = capsys.readouterr().out
    table, repeat = said.split("repeat it     ")
    assert "[random_crop]" in table
    assert "[cutout]" in table
    assert "[/b]: no such folder :bug:" in repeat
    assert shlex.split(repeat.splitlines()[0]) == ["python", "train.py", *overrides, "data.augment=[random_crop]"]


def test_jobs_without_checkpoints_are_completed_and_have_no_plot(tmp_path, capsys):
    for lr in (0.1, 0.2):
        job_of(tmp_path, f"lr={lr}", [f"optimizer.lr={lr}"], status="completed")
    sweeps.print_report(tmp_path)
    closing = capsys.readouterr().out.splitlines()[-2:]
    assert closing == [f"table         {tmp_path}/sweep.csv", "sweep         2 of 2 jobs completed"]
    assert not (tmp_path / "sweep.png").exists()


def test_report_on_demand(swept, tmp_path, capsys):
    sweeps.print_report(swept.folder / "runs/s")
    assert "4 of 6 jobs completed" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no jobs"):
        sweeps.print_report(tmp_path)


def test_a_pruned_job_is_a_row_and_no_failure(copied, capsys):
    for job in (copied / "runs/s").glob("*1e+30*"):
        shutil.rmtree(job)
    result = copied / "runs/s/optimizer.lr=0.0001,seed=2/result.json"
    result.write_text(result.read_text().replace('"completed"', '"pruned"', 1))
    sweep = sweeps.print_report(copied / "runs/s")
    assert sweep.unfinished == []
    assert "3 of 4 jobs completed, 1 pruned" in capsys.readouterr().out
    assert [row["status"] for row in rows(copied)].count("pruned") == 1


def test_a_job_that_waits_in_a_stopped_sweep_is_paused_and_not_pruned(tmp_path, capsys):
    for number, value in enumerate((0.9, 0.8, 0.3)):
        pruned = scored(value) | {"status": "pruned", "epochs": 1}
        job_of(tmp_path, f"optimizer.lr={number}", [f"optimizer.lr={number}"], **pruned)
    wave = [("optimizer.lr=0", 0), ("optimizer.lr=1", 1)]  # jobs, and the places of their epochs
    write_until(tmp_path, wave, [3, 1])
    sweep = sweeps.print_report(tmp_path)
    assert [job.status for job in sweep.jobs] == ["paused", "paused", "pruned"]
    assert "0 of 3 jobs completed, 1 pruned, 2 paused\n" in capsys.readouterr().out
    assert sweep.unfinished == []


def test_the_command_has_true_and_false_as_they_are_typed(tmp_path):
    """Hydra's sweepers record `True` for `true`. A text in quotes stays as it is."""
    overrides = ["a=True", "+b=False", "c=[True,False]", "d={e:True}", "f='True'", "g=Truetype", "h=a True b"]
    command = command_of(Job(tmp_path, overrides))
    assert shlex.split(command)[2:] == [
        *("a=true", "+b=false", "c=[true,false]", "d={e:true}"),
        *("f='True'", "g=Truetype", "h=a True b"),
    ]


def test_a_failed_job_is_below_those_that_were_completed(tmp_path, capsys):
    job_of(tmp_path, "optimizer.lr=1", ["optimizer.lr=1"], **scored(0.9) | {"status": "failed"})
    job_of(tmp_path, "optimizer.lr=2", ["optimizer.lr=2"], **scored(0.5))
    job_of(tmp_path, "optimizer.lr=3", ["optimizer.lr=3"], **scored(0.8) | {"status": "interrupted"})
    job_of(tmp_path, "optimizer.lr=4", ["optimizer.lr=4"], **scored(0.6))
    sweep = sweeps.print_report(tmp_path)
    assert [job.settings["optimizer.lr"] for job in sweep.jobs] == ["4", "2", "1", "3"]
    assert f"best job      {tmp_path}/optimizer.lr=4, which has no checkpoint any more\n" in capsys.readouterr().out


def test_a_sweep_that_was_stopped_counts_the_jobs_that_have_not_begun(tmp_path, capsys):
    job_of(tmp_path, "optimizer.lr=1", ["data=fake", "optimizer.lr=1"], **scored(0.9))
    sweeps.print_report(tmp_path, total=3)
    said = capsys.readouterr().out
    assert "sweep         1 of 3 jobs completed, 2 not begun" in said
    assert "optimizer.lr   val/acc" in said  # what is swept, though there is one job only
    assert "data=fake" not in said.split("best job")[0]


def test_a_later_report_has_no_refusals_of_a_command_that_changed_nothing(tmp_path, capsys):
    job_of(tmp_path, "optimizer.lr=1", ["optimizer.lr=1"], **scored(0.9))
    line = "optimizer.lr=1 was trained with trainer.max_epochs=1, which is now 2: use another hydra.sweep.dir"
    sweeps.note_refused(tmp_path, line)
    sweeps.print_report(tmp_path, refused=refused(tmp_path))
    assert f"1 of 1 jobs completed, 1 refused\nrefused       {line}\n" in capsys.readouterr().out
    sweeps.print_report(tmp_path)
    said = capsys.readouterr().out
    assert said.endswith("1 of 1 jobs completed\n")
    assert "refused" not in said
