"""The plot of a fitted curve."""

import torch

from litlab.callbacks.fit_plot import draw_fit


def test_the_plot_has_every_point_and_the_curve():
    x, y = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0])
    (axes,) = draw_fit(x, y, torch.linspace(0, 1, 5), torch.linspace(0, 1, 5) ** 2, "y = x^2").axes
    curve, points = axes.lines
    assert curve.get_ydata().tolist() == [0, 0.0625, 0.25, 0.5625, 1]
    assert (points.get_xdata().tolist(), points.get_ydata().tolist()) == ([0, 1], [0, 1])
    assert axes.get_title() == "y = x^2"
