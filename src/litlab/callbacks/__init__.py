"""What watches a run."""

from litlab.callbacks.checkpoints import Checkpoints, epoch_metrics
from litlab.callbacks.diagnosis import Diagnosis
from litlab.callbacks.exact import ExactResume
from litlab.callbacks.fit import FitPlot, LandmarkPictures
from litlab.callbacks.interrupt import Interrupted, StopOnSignal
from litlab.callbacks.loggers import MetricsCSV, TensorBoard
from litlab.callbacks.outputs import EvaluationOutputs, outputs_of
from litlab.callbacks.progress import Progress
from litlab.callbacks.prune import Prune
from litlab.callbacks.summary import ModelSummary, summary_table
from litlab.callbacks.throughput import Throughput

__all__ = [
    "Checkpoints",
    "Diagnosis",
    "EvaluationOutputs",
    "ExactResume",
    "FitPlot",
    "Interrupted",
    "LandmarkPictures",
    "MetricsCSV",
    "ModelSummary",
    "Progress",
    "Prune",
    "StopOnSignal",
    "TensorBoard",
    "Throughput",
    "epoch_metrics",
    "outputs_of",
    "summary_table",
]
