"""litlab in a notebook: `litlab.train(...)` and `litlab.load(...)` are defined here.

training            trains in this process, and shows the run
composing           composes its config as `litlab train` does, or takes that of the run to resume
prediction          a trained network that takes pictures
pictures            the pictures that it is given: files, or pictures of Pillow and arrays
mistakes            cuts the traceback of a mistake
"""

from litlab.notebook.prediction import Predictor, load
from litlab.notebook.training import TrainedRun, train

__all__ = ["Predictor", "TrainedRun", "load", "train"]
