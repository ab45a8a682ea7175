"""`lr_find=true`: what it suggests, and that it leaves nothing but its picture."""

import math
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image
from scripts import QUICK, composed

from litlab.training import lr_range_test
from litlab.training.lr_curve import Curve, diverges, smoothed, sweep_rates

RATES = [10 ** (-6 + 7 * step / 99) for step in range(100)]


def curve(center: float, edge: float) -> Curve:
    """A loss that falls from 2.3 at `center`, and rises at `edge`."""
    losses = [2.3 / (1 + (rate / center) ** 2) + 2.3 * (rate > edge) for rate in RATES]
    return Curve(RATES, losses, smoothed(losses))


def test_the_suggestion_is_where_the_loss_falls_fastest():
    found = curve(1e-3, 0.1)
    assert found.steepest == pytest.approx(1e-3, rel=0.3)
    assert found.too_high == pytest.approx(0.1, rel=0.3)


def test_the_sweep_lies_around_the_suggestions_of_all_seeds():
    rates = sweep_rates([curve(1e-3, 0.1), curve(3e-3, 0.5)])
    assert rates[0] == pytest.approx(1e-4, rel=0.3)
    assert rates[-1] == pytest.approx(0.2, rel=0.3)
    assert rates == sorted(rates)


def test_smoothing_does_not_shift_the_curve():
    step = smoothed([1.0] * 50 + [0.0] * 50)
    assert step[49] + step[50] == pytest.approx(1, abs=1e-6)
    assert smoothed([2.0] * 9) == pytest.approx([2.0] * 9)


def test_a_loss_that_explodes_does_not_make_the_rates_before_it_too_high():
    losses = [2.3 / (1 + (rate / 1e-3) ** 2) + 1e6 * (rate > 0.1) for rate in RATES]
    assert Curve(RATES, losses, smoothed(losses)).too_high == pytest.approx(0.1, rel=0.3)


def test_a_loss_far_above_the_first_ones_diverges():
    assert not diverges([2.3] * 20)
    assert not diverges([*[2.3] * 20, 100.0]), "one bad batch"
    assert diverges([*[2.3] * 20, 10.0, 50.0, 100.0])


def test_it_suggests_a_sweep_that_can_be_pasted_and_leaves_only_a_picture(train_here, tmp_path):
    small = [*QUICK, "model=mlp", "model.hidden=[20]", "data.train_limit=640", "optimizer.lr=0.5", "threads=1"]
    done = train_here(*small, "lr_find=true", "name=first")
    assert (done.status, done.err) == (0, "")
    suggested, low, high = map(
        float, re.search(r"optimizer.lr=(\S+) .* \((\S+) to (\S+) over 3 seeds", done.out).groups()
    )
    assert 1e-4 < low <= suggested <= high < 0.3
    [picture] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert picture.name == "lr_find.png"
    assert Image.open(picture).width > 800
    python, script, multirun, *overrides = shlex.split(done.out.split("a sweep")[1])
    assert (python, Path(script).name, multirun) == ("python", "train.py", "-m")
    rates = [float(rate) for rate in overrides.pop().removeprefix("optimizer.lr=").split(",")]
    assert rates[0] < suggested < rates[-1]
    assert len(rates) == 7
    assert composed(*overrides).model.hidden == [20]
    assert not [override for override in overrides if override.startswith(("lr_find", "name"))]
    assert all(math.isfinite(rate) for rate in rates)


def test_in_a_sweep_it_is_refused(train_here):
    done = train_here("-m", *QUICK, "lr_find=true", "optimizer.lr=0.1,0.2", "hydra.sweep.dir=s")
    assert "error: lr_find=true: not in a sweep; leave out -m" in done.err


@pytest.mark.parametrize(
    ("quoted", "typed"),
    [
        ("data.data_dir='/data/mine'", "data.data_dir=/data/mine"),
        ("data.data_dir='a b/c'", "data.data_dir='a b/c'"),
        ("data.data_dir='photos'", "data.data_dir=photos"),
        ("+data.note='photos'", "+data.note=photos"),
        ("data.file='Null'", "data.file='Null'"),
        ("name='1'", "name='1'"),
        ("optimizer=sgd", "optimizer=sgd"),
    ],
)
def test_a_folder_is_suggested_as_it_was_typed(quoted, typed):
    assert lr_range_test._as_typed(quoted) == typed
