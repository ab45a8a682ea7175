import pytest
from sweep_folders import job_of, scored

from litlab import sweeps
from litlab.sweeps.seeds import are_distinguishable, groups, half_interval, student


def test_the_interval_is_that_of_students_t():
    assert half_interval([0.5]) is None
    assert half_interval([1.0, 2.0, 3.0]) == pytest.approx(4.303 / 3**0.5)
    assert student(10) == 2.228
    assert student(60) == pytest.approx(2.000, abs=0.002)


def test_groups_that_overlap_cannot_be_told_apart():
    assert are_distinguishable([0.98, 0.981, 0.979], [0.97, 0.971, 0.969]) is True
    assert are_distinguishable([0.98, 0.99, 0.97], [0.975, 0.985, 0.965]) is False
    assert are_distinguishable([0.98], [0.97, 0.96]) is None
    assert are_distinguishable([0.9, 0.9], [0.9, 0.9]) is False


def test_folds_are_repetitions_like_seeds(tmp_path):
    for lr, fold, value in [(0.1, 0, 0.5), (0.1, 1, 0.7), (0.2, 0, 0.8), (0.2, 1, 0.9)]:
        job_of(tmp_path, f"{lr}-{fold}", [f"optimizer.lr={lr}", f"data.fold={fold}"], **scored(value))
    found = groups(sweeps.read(tmp_path))
    assert list(found) == [("0.2",), ("0.1",)]
    assert sorted(found["0.1",]) == [0.5, 0.7]


def test_a_best_that_may_be_chance_is_said_to_be(tmp_path, capsys):
    for lr, values in {0.1: (0.98, 0.97), 0.2: (0.979, 0.972), 0.3: (0.2, 0.21)}.items():
        for seed, value in enumerate(values):
            result = scored(value) | {"config": {"seed": seed}}
            job_of(tmp_path, f"{lr}-{seed}", [f"optimizer.lr={lr}", f"seed={seed}"], **result)
    sweeps.print_report(tmp_path)
    said = capsys.readouterr().out
    assert "±" in said
    assert "not certain   the best, optimizer.lr=0.2, is not distinguishable from the second, optimizer.lr=0.1" in said
