"""What watches a run."""

from litlab.callbacks.checkpoints import Checkpoints, epoch_metrics
from litlab.callbacks.exact import ExactResume
from litlab.callbacks.fit import FitPlot, LandmarkPictures
from litlab.callbacks.interrupt import Interrupted, StopOnSignal
from litlab.callbacks.loggers import MetricsCSV, TensorBoard
from litlab.callbacks.progress import Progress
from litlab.callbacks.summary import ModelSummary, summary_table
from litlab.callbacks.throughput import Throughput

__all__ = [
    "Checkpoints",
    "ExactResume",
    "FitPlot",
    "Interrupted",
    "LandmarkPictures",
    "MetricsCSV",
    "ModelSummary",
    "Progress",
    "StopOnSignal",
    "TensorBoard",
    "Throughput",
    "epoch_metrics",
    "summary_table",
]
