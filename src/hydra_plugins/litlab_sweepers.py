"""Hydra looks for plugins in this namespace, and instantiates none from elsewhere."""

from litlab.sweeps.grid import GridSweeper
from litlab.sweeps.optuna import OptunaSweeper

__all__ = ["GridSweeper", "OptunaSweeper"]

for plugin in (GridSweeper, OptunaSweeper):
    plugin.__module__ = __name__
