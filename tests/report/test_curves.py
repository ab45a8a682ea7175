"""The curves of the page."""

from pages import some

from litlab.report.draw import draw


def test_epochs_of_other_lengths_stand_where_they_ended():
    """As they have when a run goes on with batches of another size."""
    ends = [55, 110, 124, 138]
    history = {f"{s}/loss": [(step, 1 / step) for step in ends] for s in ("train", "val")}
    curves = draw(some(history=history, best_step=124)).axes[0]
    train, val, best = curves.lines
    assert list(train.get_xdata()) == list(val.get_xdata()) == [1, 2, 3, 4]
    assert list(best.get_xdata()) == [3, 3]


def test_a_line_of_steps_has_two_steps():
    history = {"train/loss": [(1, 2.3)], "train/loss_step": [(0, 2.3), (0, 2.3)], "val/loss": [(1, 2.2)]}
    labels = draw(some(history=history, best_step=None)).axes[0].get_legend_handles_labels()[1]
    assert labels == ["train", "val"]


def test_a_part_of_an_epoch_is_a_point_and_not_called_a_loss_before_the_first_step():
    for axes in draw(some(history={"train/loss": [(30, 1.6)], "train/acc": [(30, 0.6)]}, best_step=None)).axes[:2]:
        assert [len(line.get_xdata()) for line in axes.lines] == [1]
        assert not axes.texts


def test_a_logarithmic_scale_over_few_decades_has_more_numbers_than_one():
    losses = [(1, 7.0), (2, 0.3), (3, 0.12)]
    axes = draw(some(history={"train/loss": losses}, best_step=None)).axes[0]
    low, high = axes.get_ylim()
    shown = [tick for tick in axes.yaxis.get_major_locator()() if low <= tick <= high]
    assert axes.get_yscale() == "log"
    assert [round(tick, 3) for tick in shown] == [0.1, 0.2, 0.5, 1, 2, 5][-len(shown) :]
    assert len(shown) >= 5


def test_an_epoch_that_was_cut_short_ends_before_its_number():
    within = {"train/loss_step": [(0, 2.3), (50, 1.0), (100, 0.8)]}
    axes = draw(some(history=within, best_step=None, steps_per_epoch=200)).axes[0]
    assert list(axes.lines[0].get_xdata()) == [0, 0.25, 0.5]
    assert len([tick for tick in axes.get_xticks() if 0 < tick < 0.5]) >= 2  # numbers, where no whole epoch ended
    ends = {"train/loss": [(200, 0.5), (250, 0.4)], "val/loss": [(200, 0.6)]}
    train, val = draw(some(history=ends, best_step=None, steps_per_epoch=200)).axes[0].lines
    assert list(train.get_xdata()) == [1, 1.25]
    assert list(val.get_xdata()) == [1]
