"""What watches a run."""

from litlab.callbacks.checkpoints import Checkpoints, epoch_metrics
from litlab.callbacks.confusion import ConfusionMatrix
from litlab.callbacks.diagnosis import Diagnosis
from litlab.callbacks.exact import ExactResume
from litlab.callbacks.feature_maps import FeatureMaps
from litlab.callbacks.filters import Filters
from litlab.callbacks.fit import FitPlot, LandmarkPictures
from litlab.callbacks.folder import RunFolder
from litlab.callbacks.graph import Graph
from litlab.callbacks.histograms import Histograms
from litlab.callbacks.interrupt import Interrupted, StopOnSignal
from litlab.callbacks.loggers import MetricsCSV, TensorBoard
from litlab.callbacks.memory import KeepMemory
from litlab.callbacks.most_wrong import MostWrong
from litlab.callbacks.outputs import EvaluationOutputs, outputs_of
from litlab.callbacks.pictures import Pictures
from litlab.callbacks.pr_curves import PRCurves
from litlab.callbacks.progress import Progress
from litlab.callbacks.projector import Projector
from litlab.callbacks.prune import Prune
from litlab.callbacks.settings import ConfigText, HParams
from litlab.callbacks.steps import GradientNorm, LearningRate, Memory, Speed
from litlab.callbacks.summary import ModelSummary, summary_table
from litlab.callbacks.throughput import Throughput
from litlab.callbacks.watch import Part, Watch

__all__ = [
    "Checkpoints",
    "ConfigText",
    "ConfusionMatrix",
    "Diagnosis",
    "EvaluationOutputs",
    "ExactResume",
    "FeatureMaps",
    "Filters",
    "FitPlot",
    "GradientNorm",
    "Graph",
    "HParams",
    "Histograms",
    "Interrupted",
    "KeepMemory",
    "LandmarkPictures",
    "LearningRate",
    "Memory",
    "MetricsCSV",
    "ModelSummary",
    "MostWrong",
    "PRCurves",
    "Part",
    "Pictures",
    "Progress",
    "Projector",
    "Prune",
    "RunFolder",
    "Speed",
    "StopOnSignal",
    "TensorBoard",
    "Throughput",
    "Watch",
    "epoch_metrics",
    "outputs_of",
    "summary_table",
]
