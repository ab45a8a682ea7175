"""Hydra looks for plugins in this namespace, and instantiates none from elsewhere."""

from litlab.optuna_sweeper import OptunaSweeper

__all__ = ["OptunaSweeper"]

OptunaSweeper.__module__ = __name__
