"""What is done with a trained network: predict, evaluate, export."""

from litlab.prediction.evaluate import evaluate_as_rank
from litlab.prediction.find import find_checkpoint
from litlab.prediction.run import run_prediction

__all__ = ["evaluate_as_rank", "find_checkpoint", "run_prediction"]
