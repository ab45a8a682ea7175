"""The sweepers of litlab, where Hydra finds them: it takes plugins from the package `hydra_plugins` only."""

from litlab.sweeps import grid, optuna


class GridSweeper(grid.GridSweeper):
    """`hydra/sweeper=grid`"""


class OptunaSweeper(optuna.OptunaSweeper):
    """`hydra/sweeper=optuna`"""
