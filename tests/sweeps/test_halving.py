"""Successive halving: which job of a grid trains how long."""

import json
import random
import re

import pytest
from hydra.errors import HydraException
from sweep_folders import SWEEP, job_of, rows, scored

from litlab.sweeps import is_final, waits_after
from litlab.sweeps.halving import Halving, load, rungs, write_until
from litlab.sweeps.jobs import UNTIL, job_key


def test_each_rung_is_longer_by_the_factor():
    assert rungs(1, 3, 9) == [1, 3, None]
    assert rungs(1, 3, 10) == [1, 3, 9, None]
    assert rungs(2, 4, 2) == [None]


def play(halving, jobs, scores, most=None, best_of=max, most_waves=100):
    """Runs waves to the end, as if job number i had always the score `scores[i]`; returns the waves."""
    waves = []
    while len(waves) < most_waves and (wave := halving.next_wave(jobs, most, best_of)):
        waves.append(wave)
        halving.scores |= {(job, rung): scores[jobs.index(job)] for job, rung in wave}
    return waves


def test_a_third_trains_on_from_each_rung():
    jobs = [f"seed={number:02}" for number in range(27)]
    waves = play(Halving([1, 3, 9, None], 3), jobs, range(27))
    assert [len(wave) for wave in waves] == [27, 9, 3, 1]
    assert waves[1][:2] == [("seed=26", 1), ("seed=25", 1)]
    assert waves[3] == [("seed=26", 3)]
    assert play(Halving([1, None], 3), jobs, range(27), best_of=min)[1][0] == ("seed=00", 1)


def test_one_at_a_time_a_job_trains_on_as_soon_as_it_is_among_the_best():
    waves = play(Halving([1, None], 3), list("abcdef"), [5, 1, 2, 9, 8, 7], most=1)
    steps = [step for (step,) in waves]
    assert steps[:4] == [("a", 0), ("b", 0), ("c", 0), ("a", 1)]
    assert steps[4:] == [("d", 0), ("d", 1), ("e", 0), ("f", 0), ("e", 1)], "six jobs have two places"


def test_few_jobs_and_failed_ones_leave_one_that_trains_to_the_end():
    assert play(Halving([1, 3, None], 3), ["a", "b"], [1, 2]) == [[("a", 0), ("b", 0)], [("b", 1)], [("b", 2)]]
    assert play(Halving([1, None], 2), list("abcd"), [None, None, None, 1])[1] == [("d", 1)]
    assert play(Halving([1, None], 2), ["a"], [None]) == [[("a", 0)]]


@pytest.mark.parametrize("most", [None, 1, 4])
def test_killed_at_any_moment_the_same_jobs_train_on(most, tmp_path):
    jobs, random_numbers = [f"seed={number}" for number in range(11)], random.Random(1)
    scores = [random_numbers.random() for _ in jobs]
    peace = play(Halving([1, 2, 4, None], 2), jobs, scores, most)
    killed = Halving([1, 2, 4, None], 2)
    for _ in range(100):
        if not (wave := killed.next_wave(jobs, most, max)):
            break
        killed.save(tmp_path)
        ended = wave[: random_numbers.randint(0, len(wave))]
        killed.scores |= {(job, rung): scores[jobs.index(job)] for job, rung in ended}
        if random_numbers.random() < 0.5:
            killed.save(tmp_path)
        killed = load(tmp_path, [1, 2, 4, None], 2)
    assert {step for wave in killed.waves for step in wave} == {step for wave in peace for step in wave}
    assert killed.waves == peace


def test_other_rungs_are_refused_in_a_line(tmp_path):
    Halving([1, 3, None], 3).save(tmp_path)
    assert load(tmp_path, [1, 3, None], 3).waves == []
    with pytest.raises(HydraException, match=r"\[1, 3\] epochs, one of 3 .*; \[2\] epochs.*: use another"):
        load(tmp_path, [2, None], 3)


def test_scores_come_from_the_folders_of_the_jobs(tmp_path):
    job_of(tmp_path, "a", ["seed=1", "model=mlp"], **scored(0.5) | {"status": "pruned"})
    job_of(tmp_path, "b", ["seed=2", "model=mlp"], **scored(0.9) | {"status": "interrupted"})
    halving = Halving([1, None], 3)
    wave = [(job_key(["model=mlp", f"seed={seed}", "hydra.sweep.subdir=x"]), 0) for seed in (1, 2, 3)]
    halving.read_scores(tmp_path, wave)
    assert list(halving.scores.values()) == [0.5, None, None]


def test_a_job_is_told_how_long_it_trains(tmp_path):
    job = job_of(tmp_path, "a", ["seed=1"])
    assert waits_after(job, ["seed=1"]) is None
    assert not is_final(job, ["seed=1"], 3)
    write_until(tmp_path, [("seed=1", 0), ("seed=2", 1)], [3, None])
    assert (waits_after(job, ["seed=1"]), waits_after(job, ["seed=2"])) == (3, None)
    assert is_final(job, ["seed=1"], 3)
    assert not is_final(job, ["seed=1"], 1)
    assert not is_final(job, ["seed=2"], 1)


RATES = "optimizer.lr=0.0001,0.003,0.001"
HALVED = [*SWEEP, "trainer.max_epochs=3", "model=mlp", "model.hidden=[20]", RATES]


@pytest.mark.slow
def test_the_best_job_trains_as_if_it_had_never_waited(train_here, tmp_path):
    done = train_here(*HALVED, "hydra.sweeper.prune=asha")
    assert done.status == 0, done.err
    assert "1 of 3 jobs completed, 2 pruned" in done.out
    assert re.findall(r"(\w+) after (\d) epoch", done.out) == [("paused", "1")] * 3 + [("completed", "3")]
    assert [(row["optimizer.lr"], row["status"]) for row in rows(tmp_path)] == [
        ("0.003", "completed"), ("0.001", "pruned"), ("0.0001", "pruned")
    ]  # fmt: skip
    assert not (tmp_path / "runs/s" / UNTIL).exists()
    results = {p.parent.name[13:]: json.loads(p.read_text()) for p in tmp_path.glob("runs/s/*/result.json")}
    assert {lr: result["epochs"] for lr, result in results.items()} == {"0.003": 3, "0.001": 1, "0.0001": 1}
    halved = (tmp_path / "runs/s/optimizer.lr=0.003/metrics.csv").read_bytes()
    again = train_here(*HALVED, "hydra.sweeper.prune=asha")
    assert again.out.count("finished before, not run again") == 0, "nothing is left to do"

    further = train_here(*HALVED)  # without pruning: those that waited train on
    assert "0.001: going on from last.ckpt" in further.out
    assert "3 of 3 jobs completed" in further.out
    shared = [argument for argument in HALVED[1:-1] if not argument.startswith("hydra.sweep")]
    alone = train_here(*shared, "optimizer.lr=0.003", "hydra.run.dir=alone")
    assert alone.status == 0, alone.err
    assert (tmp_path / "alone/metrics.csv").read_bytes() == halved


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["hydra.sweeper.prune=median"], "hydra.sweeper.prune=median: must be false or asha; hydra/sweeper=optuna has"),
        (["hydra.sweeper.prune=asha"], "hydra.sweeper.prune_after_epochs=1: must be less than trainer.max_epochs=1"),
        (["hydra.sweeper.prune=asha", "hydra.sweeper.reduction_factor=1"], "hydra.sweeper.reduction_factor=1: must be"),
        (["hydra.sweeper.prune=asha", "trainer.max_epochs=-1"], "trainer.max_epochs=-1: must be at least 1"),
        (
            ["hydra.sweeper.prune=asha", "trainer.max_epochs=null", "trainer.max_steps=5"],
            "hydra.sweeper.prune=asha needs a length: trainer.max_epochs=None",
        ),
    ],
)
def test_what_cannot_be_halved_is_refused_in_a_line(settings, said, train_here, tmp_path):
    done = train_here(*SWEEP[:-1], "optimizer.lr=0.1,0.2", *settings)
    assert done.status == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert not list(tmp_path.glob("runs/*/*/*/checkpoints"))
