"""What TensorBoard shows of a run. Each panel has a file."""

from litlab.callbacks.tensorboard.confusion import ConfusionMatrix
from litlab.callbacks.tensorboard.feature_maps import FeatureMaps
from litlab.callbacks.tensorboard.filters import Filters
from litlab.callbacks.tensorboard.graph import Graph
from litlab.callbacks.tensorboard.histograms import Histograms
from litlab.callbacks.tensorboard.hparams import ConfigText, HParams
from litlab.callbacks.tensorboard.most_wrong import MostWrong
from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.panels import Panels
from litlab.callbacks.tensorboard.pictures import Pictures
from litlab.callbacks.tensorboard.pr_curves import PRCurves
from litlab.callbacks.tensorboard.projector import Projector
from litlab.callbacks.tensorboard.scalars import GradientNorm, LearningRate, Memory, Speed
from litlab.callbacks.tensorboard.view import View

__all__ = [
    "ConfigText",
    "ConfusionMatrix",
    "FeatureMaps",
    "Filters",
    "GradientNorm",
    "Graph",
    "HParams",
    "Histograms",
    "LearningRate",
    "Memory",
    "MostWrong",
    "PRCurves",
    "Panel",
    "Panels",
    "Pictures",
    "Projector",
    "Speed",
    "View",
]
