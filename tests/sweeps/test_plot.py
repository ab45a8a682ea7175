import os
import subprocess
import sys
import time

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from sweep_folders import job_of, scored

from litlab import sweeps
from litlab.sweeps.jobs import curve
from litlab.sweeps.labels import Labels
from litlab.sweeps.plot import draw, draw_groups, draw_line, draw_plane, scale


def test_the_picture_shows_more_than_one_colour(swept):
    image = Image.open(swept.folder / "runs/s/sweep.png").convert("RGB")
    assert image.width > 800
    red = sum(1 for r, g, b in np.asarray(image).reshape(-1, 3).astype(int) if r > 180 and g < 80 and b < 80)
    assert red > 100  # the best job is marked


@pytest.mark.parametrize(
    "settings",
    [
        [{"optimizer.lr": lr, "seed": seed} for lr in (0.001, 0.01, 0.1) for seed in (1, 2)],
        [{"optimizer.lr": lr, "data.batch_size": size} for lr in (0.01, 0.1) for size in (32, 64)],
        [{"model": model, "optimizer.lr": lr} for model in ("mlp", "lenet5") for lr in (0.01, 0.1)],
        [{"optimizer.lr": 0.001 * 1.1**n, "data.batch_size": 32 + n} for n in range(40)],
        [{"model": f"m{n % 2}", "optimizer.lr": 0.001 * 1.1**n, "ema": 0.9 + n / 1000} for n in range(80)],
        [{"seed": seed} for seed in range(30)],
        [{"model": "mlp"}],
    ],
    ids=["one number", "two numbers", "names", "a plane", "points", "more jobs than a legend holds", "one job"],
)
def test_any_sweep_has_a_picture(settings, tmp_path):
    for number, values in enumerate(settings):
        job = job_of(tmp_path, f"job={number}", [f"{k}={v}" for k, v in values.items()], **scored(0.5 + number / 100))
        (job / "metrics.csv").write_text("epoch,step,val/acc\n0,10,0.4\n0,10,\n1,20,0.5\n")
    sweep = sweeps.read(tmp_path)
    draw(sweep, tmp_path / "sweep.png")
    assert Image.open(tmp_path / "sweep.png").size == (1100, 880)


def test_where_the_jobs_have_one_epoch_no_half_of_the_picture_is_empty(tmp_path):
    for number, lr in enumerate((0.01, 0.1)):
        job = job_of(tmp_path, f"job={number}", [f"optimizer.lr={lr}"], **scored(0.5 + number / 100))
        (job / "metrics.csv").write_text("epoch,step,val/acc\n0,10,0.4\n")
    draw(sweeps.read(tmp_path), tmp_path / "sweep.png")
    assert Image.open(tmp_path / "sweep.png").size == (1100, 495)


@pytest.mark.parametrize("more", [{}, {"ema": 0.9}], ids=["one number", "two numbers"])
def test_jobs_that_were_ended_early_are_drawn(more, tmp_path):
    for number, lr in enumerate((0.001, 0.01, 0.1)):
        pruned = {"status": "pruned"} if number else {}
        settings = {"optimizer.lr": lr, **{name: value + number / 100 for name, value in more.items()}}
        job_of(tmp_path, f"job={number}", [f"{k}={v}" for k, v in settings.items()], **(scored(0.5) | pruned))
    axes = Figure().subplots()
    sweep = sweeps.read(tmp_path)
    assert [job.status for job in sweep.jobs] == ["completed", "pruned", "pruned"]
    if more:
        draw_plane(sweep, "ema", "optimizer.lr", axes, axes.figure)
    else:
        draw_line(sweep, "optimizer.lr", axes)
    [early] = [line for line in axes.lines if line.get_label() == "ended early"]
    assert list(early.get_xdata()) == [0.01, 0.1]
    assert axes.get_xscale() == "log"


def test_names_are_compared_by_dots_and_only_several_seeds_have_a_spread(tmp_path):
    """Bars that do not begin at 0 make 0.454 look like a third of 0.764."""
    for number, (model, seed, value) in enumerate([("mlp", 1, 0.454), ("cnn", 1, 0.764), ("cnn", 2, 0.744)]):
        job_of(tmp_path, f"job={number}", [f"model={model}", f"seed={seed}"], **scored(value))
    axes, sweep = Figure().subplots(), sweeps.read(tmp_path)
    draw_groups(sweep, ["model"], axes, Labels(sweep))
    assert not axes.patches, "no bars"
    [dots] = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(dots.get_xdata()) == [0, 1]
    assert list(dots.get_ydata()) == pytest.approx([0.454, 0.754])
    [spread] = axes.containers
    assert spread.has_yerr
    assert [text.get_text() for text in axes.texts] == ["0.4540", "0.7540"]


def test_the_loss_of_a_job_that_diverges_does_not_press_the_others_together(tmp_path):
    for rate, loss in ((0.001, 0.5), (0.01, 0.25), (10, 1e14)):
        job_of(tmp_path, f"{rate}", [f"optimizer.lr={rate}"], **scored(0.5), metrics={"val/loss": loss})
    figure = Figure()
    draw_line(sweeps.read(tmp_path), "optimizer.lr", figure.subplots())
    accuracy, loss = figure.axes
    assert (accuracy.get_yscale(), loss.get_yscale()) == ("linear", "log")
    low, high = loss.transAxes.inverted().transform(loss.transData.transform([(1, 0.25), (1, 0.5)]))[:, 1]
    assert high - low > 0.01


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ("linear", {})),
        ([0.0, 0.0], ("linear", {})),
        ([0.0, 0.5, 0.9], ("linear", {})),
        ([0.5, float("nan"), float("inf"), 400.0], ("linear", {})),
        ([0.25, 0.5, 1e14], ("log", {})),
        ([0.9, 0.7, -1e14], ("symlog", {"linthresh": 0.9})),
    ],
    ids=["none", "zeros", "accuracies", "not finite", "losses", "R2"],
)
def test_values_of_very_different_sizes_have_a_logarithmic_scale(values, expected):
    assert scale(values) == expected


@pytest.mark.parametrize("sign", [1, -1], ids=["loss", "R2"])
@pytest.mark.parametrize(
    "settings",
    [
        [{"optimizer.lr": lr} for lr in (0.01, 0.1, 1, 10)],
        [{"optimizer.lr": lr, "data.batch_size": size} for lr in (0.01, 0.1) for size in (32, 64)],
        [{"model": model, "seed": seed} for model in ("mlp", "lenet5") for seed in (1, 2)],
    ],
    ids=["one number", "two numbers", "names"],
)
def test_both_parts_of_the_picture_are_logarithmic_where_the_objective_diverges(settings, sign, tmp_path, monkeypatch):
    for number, (values, loss) in enumerate(zip(settings, (0.5, 0.25, 0.4, 1e14), strict=True)):
        overrides, value = [f"{key}={value}" for key, value in values.items()], sign * loss
        job = job_of(tmp_path, f"job={number}", overrides, **scored(value, "min" if sign > 0 else "max"))
        (job / "metrics.csv").write_text(f"epoch,step,val/acc\n0,10,{value}\n1,20,{value}\n")
    axes = drawn(tmp_path, monkeypatch)
    top, bottom = axes[0], axes[-1]
    expected = "log" if sign > 0 else "symlog"
    assert bottom.get_yscale() == expected
    if top.images:
        assert type(top.images[0].norm).__name__ == {"log": "LogNorm", "symlog": "SymmetricalLogScaleNorm"}[expected]
    else:
        assert top.get_yscale() == expected


def drawn(folder, monkeypatch):
    """The axes of the picture of a sweep: the curves are the last."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    draw(sweeps.read(folder), folder / "sweep.png")
    figures[0].draw_without_rendering()
    return figures[0].axes


def test_a_search_over_several_numbers_has_a_panel_for_each_with_all_jobs(tmp_path, monkeypatch):
    rates = [10 ** (-4 + 4 * n / 14) for n in range(14)]
    for n, rate in enumerate(rates):
        settings = {"optimizer.lr": rate, "model.dropout": 0.02 + (n * 5 % 14) / 28, "data.batch_size": 20 + n * 3 % 14}
        pruned = {"status": "pruned"} if n % 7 > 2 else {}
        job_of(tmp_path, f"job={n}", [f"{k}={v}" for k, v in settings.items()], **(scored(0.5 + n / 100) | pruned))
    panels = drawn(tmp_path, monkeypatch)
    assert [panel.get_xlabel() for panel in panels] == ["optimizer.lr", "model.dropout", "data.batch_size"]
    assert [panel.get_xscale() for panel in panels] == ["log", "linear", "linear"]
    points = [rate for line in panels[0].lines if line.get_marker() in "ox" for rate in line.get_xdata()]
    assert sorted(points) == pytest.approx(rates)


def test_a_colour_bar_stands_beside_its_map_however_long_the_legend_of_the_curves_is(tmp_path, monkeypatch):
    for n in range(6):
        settings = [f"optimizer.lr={0.001 * 10 ** (n % 3)}", f"data.a_setting_with_quite_a_long_name={n // 3}"]
        job = job_of(tmp_path, f"job={n}", settings, **scored(0.5 + n / 100))
        (job / "metrics.csv").write_text("epoch,step,val/acc\n0,10,0.4\n1,20,0.5\n")
    heat_map, bar, _ = drawn(tmp_path, monkeypatch)
    assert 0 < bar.get_window_extent().x0 - heat_map.get_window_extent().x1 < 50  # pixels


def test_sixteen_jobs_have_numbers_beside_each_other_and_a_legend_of_the_best(tmp_path, monkeypatch):
    for n in range(16):
        settings = {"optimizer.lr": 0.1 + n // 8, "mix": n // 4 % 2, "model.dropout": n // 2 % 2, "ema": n % 2}
        job = job_of(
            tmp_path, f"job={n:02}", [f"{k}={v}" for k, v in settings.items()], **scored(0.566 + (n == 9) / 10)
        )
        (job / "metrics.csv").write_text("epoch,step,val/acc\n0,10,0.4\n1,20,0.5\n")
    top, curves = drawn(tmp_path, monkeypatch)
    boxes = [text.get_window_extent() for text in top.texts]
    assert len(boxes) == 16
    assert not any(one.overlaps(other) for n, one in enumerate(boxes) for other in boxes[:n])
    legend = [text.get_text() for text in curves.get_legend().get_texts()]
    assert (len(legend), legend[0], legend[-1]) == (13, "lr=1.1 mix=0 dropout=0 ema=1", "and 4 more")


def test_three_hundred_jobs_are_reported_in_seconds(tmp_path):
    for number in range(300):
        overrides = [f"optimizer.lr={0.001 * 1.01**number}", f"ema={0.9 + number / 10000}", f"data.batch_size={number}"]
        job_of(tmp_path, f"job={number}", overrides, **scored(0.5 + number / 1000))
    began = time.process_time()
    draw(sweeps.read(tmp_path), tmp_path / "sweep.png")
    assert time.process_time() - began < 15  # it once took minutes


@pytest.mark.slow
def test_a_sweep_with_a_chinese_name_is_reported_in_any_terminal(tmp_path):
    sweep = tmp_path / "gr\u00f6\u00dfe_\u732b"
    for number in (1, 2):
        job_of(sweep, f"seed={number}", [f"seed={number}"], **scored(0.5))
    (sweep / "multirun.yaml").touch()
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(
        [sys.executable, "-m", "litlab.sweeps", sweep.name], capture_output=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert b"Glyph" not in done.stderr
    assert "gr\u00f6\u00dfe_\\u732b/sweep.csv" in done.stdout.decode("cp1252")
    assert (sweep / "sweep.png").exists()


def test_a_curve_has_a_point_for_each_epoch_with_a_value(tmp_path):
    job_of(tmp_path, "a", ["seed=1"], **scored(0.5))
    (job,) = sweeps.read(tmp_path).jobs
    assert curve(job, "val/acc") == ([], [])
    (job.folder / "metrics.csv").write_text("epoch,step,val/acc\n0,10,0.4\n0,15,\n1,20,0.5\n")
    assert curve(job, "val/acc") == ([1, 2], [0.4, 0.5])
    assert curve(job, "val/loss") == ([], [])


@pytest.mark.parametrize(
    ("best", "beside"), [(0.0001, "left"), (0.0011, "center"), (0.0064, "right"), (0.009, "right")]
)
def test_the_text_of_the_best_job_stays_within_the_picture(best, beside, tmp_path):
    for rate in (0.0001, 0.0011, 0.0062, 0.0064, 0.009):
        job_of(tmp_path, f"optimizer.lr={rate}", [f"optimizer.lr={rate}"], **scored(0.9 if rate == best else 0.5))
    axes = Figure().subplots()
    draw_line(sweeps.read(tmp_path), "optimizer.lr", axes)
    (text,) = [text for text in axes.texts if text.get_text()]
    assert (text.get_text(), text.get_ha()) == (f"optimizer.lr={best:g}: 0.9000", beside)


@pytest.mark.parametrize("settings", [["optimizer.lr=0.1", "optimizer.lr=0.2"], ["model=mlp", "model=lenet5"]])
@pytest.mark.parametrize(("over", "said"), [("seed", "seeds"), ("data.fold", "folds")])
def test_the_bars_of_the_picture_say_what_they_are(settings, over, said, tmp_path, monkeypatch):
    """The table beside it has a 95 % interval, too."""
    for n in range(4):
        job_of(tmp_path, f"job={n}", [settings[n % 2], f"{over}={n // 2}"], **scored(0.5 + n / 10))
    axes = drawn(tmp_path, monkeypatch)[0]
    assert axes.get_title() == f"bars: one standard deviation over the {said}"


def test_where_there_are_no_bars_nothing_is_said_of_them(tmp_path, monkeypatch):
    for n in range(4):
        job_of(tmp_path, f"job={n}", [f"model={n % 2}", f"ema={n // 2}"], **scored(0.5 + n / 10))
    assert drawn(tmp_path, monkeypatch)[0].get_title() == ""


def test_only_what_ended_early_is_grey(tmp_path, monkeypatch):
    for n in range(10):
        pruned = {"status": "pruned"} if n > 7 else {}
        result = scored(0.5 + n / 100) | pruned | {"metrics": {"val/loss": 1.0 + n}}
        job = job_of(tmp_path, f"job={n:02}", [f"optimizer.lr={n + 1}"], **result)
        (job / "metrics.csv").write_text("epoch,step,val/acc\n0,10,0.4\n1,20,0.5\n")
    top, loss, curves = drawn(tmp_path, monkeypatch)
    assert loss.get_ylabel() == "val/loss (dashed)"
    grey = [line for axes in (top, curves, loss) for line in axes.lines if line.get_color() == "tab:gray"]
    assert [line.get_marker() for line in grey] == ["x"] * 3  # of each curve, and of both points at the top
