"""litlab in a notebook: `litlab.train(...)` and `litlab.load(...)` are defined here.

training            composes a config as `litlab train` does, and trains in this process
prediction          a trained network that takes images or files
"""

from litlab.notebook.prediction import Predictor, load
from litlab.notebook.training import TrainedRun, train

__all__ = ["Predictor", "TrainedRun", "load", "train"]
