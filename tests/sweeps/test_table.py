"""The report of a sweep: the ranked table, `sweep.csv`, and what to type next."""

import shlex
import shutil
from collections import Counter

import pytest
from rich.console import Console
from sweep_folders import job_of, rows, scored

from litlab import sweeps
from litlab.console import PLAIN
from litlab.sweeps.halving import write_until
from litlab.sweeps.jobs import Job
from litlab.sweeps.labels import Labels, short_names
from litlab.sweeps.seeds import groups
from litlab.sweeps.stopping import refused
from litlab.sweeps.table import command_of, over_seeds, ranking


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
    assert closing == [f"table, page   {tmp_path}/sweep.csv, sweep.html", "sweep         2 of 2 jobs completed"]
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"sweep.csv", "sweep.html"}


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


def searched(folder, *names):
    """A sweep in which each job has numbers of its own for these settings."""
    for n in range(3):
        settings = [f"{name}=0.00062549{n + number}" for number, name in enumerate(names)]
        job_of(folder, f"job={n}", [*settings, f"seed={n}"], **scored(0.5 + n / 10), seconds=12.34)
    return sweeps.read(folder)


def printed(table, width, is_terminal=True):
    """The lines of a table without spaces at their ends."""
    console = Console(width=width, force_terminal=is_terminal, color_system=None, **PLAIN)
    with console.capture() as captured:
        console.print(table, crop=is_terminal)
    return [line.rstrip() for line in captured.get().splitlines() if line.strip(" \u2500")]


THREE = ("optimizer.lr", "model.dropout", "optimizer.weight_decay")


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (120, "rank optimizer.lr model.dropout optimizer.weight_decay seed val/acc (max) seconds status"),
        (100, "rank lr dropout weight_decay seed (max) seconds status"),
        (84, "rank lr dropout weight_decay seed (max) status"),
        (70, "rank lr dropout weight_decay seed (max)"),
    ],
)
def test_a_narrow_table_has_shorter_headings_then_fewer_columns_and_whole_numbers(width, expected, tmp_path):
    sweep = searched(tmp_path, *THREE)
    lines = printed(ranking(sweep, Labels(sweep)), width)
    heading = next(line for line in lines if "rank" in line)
    assert heading.split() == expected.split()
    assert lines[-3].split()[:4] == ["1", "0.000625492", "0.000625493", "0.000625494"]
    means = printed(over_seeds(sweep, Labels(sweep)), width)
    assert means[-3].split()[:3] == ["0.000625492", "0.000625493", "0.000625494"]
    assert max(map(len, lines + means)) <= width


def test_a_job_that_did_not_complete_keeps_the_column_of_the_status(tmp_path):
    job_of(tmp_path, "bad", ["optimizer.lr=1", "seed=9"], status="failed", error="no")
    sweep = searched(tmp_path, *THREE)
    assert printed(ranking(sweep, Labels(sweep)), 70)[-1].endswith("failed")


def test_where_no_column_can_go_numbers_fold_and_lines_of_a_file_are_longer(tmp_path):
    names = [f"data.setting_{number}" for number in range(7)]
    sweep = searched(tmp_path, *names)
    table = ranking(sweep, Labels(sweep))
    folded = printed(table, 80)
    assert max(map(len, folded)) <= 80
    assert not any("\u2026" in line for line in folded)
    below = folded[next(place for place, line in enumerate(folded) if "(max)" in line) + 1 :]
    shown = [text for column in table.columns if column.name not in ("seconds", "status") for text in column.values]
    assert Counter("".join(below).replace(" ", "")) == Counter("".join(shown)), "no digit is lost"
    whole = printed(table, 80, is_terminal=False)
    assert whole[-3].split()[1:8] == [f"0.00062549{2 + number}" for number in range(7)]


def test_headings_of_one_name_stay_different():
    names = ["optimizer.lr", "scheduler.lr", "model", "own.model", "seed"]
    assert short_names(names) == {name: name for name in names} | {"own.model": "own.model"}
    assert short_names(["optimizer.lr", "scheduler.min_lr", "a.b.c", "x.b.c"]) == {
        "optimizer.lr": "lr",
        "scheduler.min_lr": "min_lr",
        "a.b.c": "a.b.c",
        "x.b.c": "x.b.c",
    }


def test_a_report_in_a_pipe_has_each_number_whole(tmp_path, capsys):
    searched(tmp_path, *(f"data.setting_{number}" for number in range(7)))
    sweeps.print_report(tmp_path)
    said = capsys.readouterr().out
    assert "\u2026" not in said
    assert said.count(" 0.000625492 ") > 2
