import pytest
from matplotlib.figure import Figure
from sweep_folders import job_of, scored

from litlab import sweeps
from litlab.sweeps.labels import Labels
from litlab.sweeps.plot import draw_groups, draw_line
from litlab.sweeps.seeds import are_distinguishable, groups, half_interval, student


def test_the_interval_is_that_of_students_t():
    assert half_interval([0.5]) is None
    assert half_interval([1.0, 2.0, 3.0]) == pytest.approx(4.302653 / 3**0.5)


@pytest.mark.parametrize(
    ("degrees", "t"),
    [(1, 12.7062), (1.5, 6.01666), (2.75, 3.35255), (10, 2.22814), (60, 2.00030), (200, 1.97190), (500, 1.96472)],
)
def test_students_t_is_that_of_scipy_also_between_whole_degrees_of_freedom(degrees, t):
    assert student(degrees) == pytest.approx(t, rel=5e-5)  # of scipy.stats.t.ppf(0.975, degrees)


def test_groups_that_overlap_cannot_be_told_apart():
    assert are_distinguishable([0.98, 0.981, 0.979], [0.97, 0.971, 0.969]) is True
    assert are_distinguishable([0.98, 0.99, 0.97], [0.975, 0.985, 0.965]) is False
    assert are_distinguishable([0.98], [0.97, 0.96]) is None
    # scipy.stats.ttest_ind(equal_var=False): 2.75 degrees of freedom, p = 0.0365
    assert are_distinguishable([0.8687, 0.8463, 0.8170], [0.7937, 0.7789, 0.7712]) is True
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


def test_the_mean_of_a_repeated_sweep_has_one_row_for_a_setting_and_counts_equal_jobs_once(tmp_path):
    starts = [(["optimizer.lr=0.1"], 0.7), (["optimizer.lr=0.1", "seed=42"], 0.7), (["seed=1"], 0.5), ([], 0.7)]
    for number, (overrides, value) in enumerate(starts):
        seed = 1 if "seed=1" in overrides else 42
        result = scored(value) | {"config": {"seed": seed, "optimizer.lr": 0.1}}
        job_of(tmp_path, f"job={number}", overrides, **result)
    job_of(tmp_path, "other", ["optimizer.lr=0.2"], **scored(0.4) | {"config": {"seed": 42}})
    sweep = sweeps.read(tmp_path)
    assert groups(sweep) == {("0.1",): [0.7, 0.5], ("0.2",): [0.4]}
    axes = Figure().subplots()
    draw_line(sweep, "optimizer.lr", axes)
    assert list(axes.lines[0].get_ydata()) == pytest.approx([0.6, 0.4])
    axes = Figure().subplots()
    draw_groups(sweep, ["optimizer.lr"], axes, Labels(sweep))
    assert [text.get_text() for text in axes.texts] == ["0.6000", "0.4000"]
