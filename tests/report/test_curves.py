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
