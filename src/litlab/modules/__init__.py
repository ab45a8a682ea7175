"""LightningModules that train a network, one for each task. `Supervised` has the training step.

`losses`, `optimizers` and `schedules` are what torch does not have. `meter` adds up the loss and the metrics.
"""

from litlab.modules.accuracy import SoftAccuracy
from litlab.modules.added import example, filled_arguments, tried, without_checks
from litlab.modules.averages import Averages
from litlab.modules.classification import Classification
from litlab.modules.compiled import CompiledNetwork
from litlab.modules.groups import Grouped, layers_in_words
from litlab.modules.labels import AveragePrecision
from litlab.modules.losses import CrossEntropy, LogSoftmaxNLL, balanced_weights
from litlab.modules.meter import Meter, NonFiniteLoss, as_float
from litlab.modules.multilabel import Multilabel
from litlab.modules.optimizers import Muon
from litlab.modules.regression import Regression
from litlab.modules.supervised import MakeOptimizer, Supervised

__all__ = [
    "AveragePrecision",
    "Averages",
    "Classification",
    "CompiledNetwork",
    "CrossEntropy",
    "Grouped",
    "LogSoftmaxNLL",
    "MakeOptimizer",
    "Meter",
    "Multilabel",
    "Muon",
    "NonFiniteLoss",
    "Regression",
    "SoftAccuracy",
    "Supervised",
    "as_float",
    "balanced_weights",
    "example",
    "filled_arguments",
    "layers_in_words",
    "tried",
    "without_checks",
]
