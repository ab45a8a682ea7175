"""LightningModules that train a network: one a task."""

from litlab.modules.classification import Classification
from litlab.modules.losses import LogSoftmaxNLL
from litlab.modules.meter import NonFiniteLoss
from litlab.modules.supervised import Supervised

__all__ = ["Classification", "LogSoftmaxNLL", "NonFiniteLoss", "Supervised"]
