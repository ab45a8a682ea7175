"""The callbacks and loggers of a run.

steering     checkpoints, exact resume, signals, pruning
loggers      metrics.csv and TensorBoard's event file
tensorboard  the panels that TensorBoard shows
diagnosis    the verdict at the end of a run
terminal     the progress bar and the table of layers
debug        what `debug=` switches on to look for mistakes
"""

from litlab.callbacks.debug import FirstNonFinite, OverfitOneBatch, Profile, not_one_batch
from litlab.callbacks.diagnosis import BEFORE_TRAINING, PURE_FLOAT16, Diagnosis
from litlab.callbacks.find import callback_of
from litlab.callbacks.fit_plot import FitPlot, LandmarkPictures
from litlab.callbacks.loggers import MetricsCSV, TensorBoard
from litlab.callbacks.outputs import EvaluationOutputs, outputs_of
from litlab.callbacks.steering import (
    AveragedWeights,
    Checkpoints,
    ExactResume,
    KeepMemory,
    Prune,
    RunFolder,
    StopOnSignal,
    Unfreeze,
    epoch_metrics,
    interruption,
    learning_rate,
    was_pruned,
)
from litlab.callbacks.tensorboard import (
    ConfigText,
    ConfusionMatrix,
    FeatureMaps,
    Filters,
    GradientNorm,
    Graph,
    Histograms,
    HParams,
    LearningRate,
    Memory,
    MostWrong,
    Panel,
    Panels,
    Pictures,
    PRCurves,
    Projector,
    Speed,
    View,
)
from litlab.callbacks.terminal import ModelSummary, Progress, groups_table, part_of_epoch, summary_table
from litlab.callbacks.throughput import Throughput
from litlab.callbacks.unreadable import UnreadablePictures

__all__ = [
    "BEFORE_TRAINING",
    "PURE_FLOAT16",
    "AveragedWeights",
    "Checkpoints",
    "ConfigText",
    "ConfusionMatrix",
    "Diagnosis",
    "EvaluationOutputs",
    "ExactResume",
    "FeatureMaps",
    "Filters",
    "FirstNonFinite",
    "FitPlot",
    "GradientNorm",
    "Graph",
    "HParams",
    "Histograms",
    "KeepMemory",
    "LandmarkPictures",
    "LearningRate",
    "Memory",
    "MetricsCSV",
    "ModelSummary",
    "MostWrong",
    "OverfitOneBatch",
    "PRCurves",
    "Panel",
    "Panels",
    "Pictures",
    "Profile",
    "Progress",
    "Projector",
    "Prune",
    "RunFolder",
    "Speed",
    "StopOnSignal",
    "TensorBoard",
    "Throughput",
    "Unfreeze",
    "UnreadablePictures",
    "View",
    "callback_of",
    "epoch_metrics",
    "groups_table",
    "interruption",
    "learning_rate",
    "not_one_batch",
    "outputs_of",
    "part_of_epoch",
    "summary_table",
    "was_pruned",
]
