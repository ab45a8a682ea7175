"""Training: from a composed config to a run folder."""

from litlab.training.build import assemble
from litlab.training.run import run_training, train

__all__ = ["assemble", "run_training", "train"]
