"""What keeps a run alive and takes it to its end: checkpoints, exact resume, signals, pruning.

A signal's way: the handler of `StopOnSignal` notes it. After the step of now, `Checkpoints.save` writes `last.ckpt`,
and `Interrupted` leaves the Trainer. `training.run` writes the result. Where no step runs, the handler itself raises.
"""

from litlab.callbacks.steering.checkpoints import Checkpoints, epoch_metrics
from litlab.callbacks.steering.folder import RunFolder
from litlab.callbacks.steering.memory import KeepMemory
from litlab.callbacks.steering.prune import Prune
from litlab.callbacks.steering.resume import KEY, ExactResume, learning_rate
from litlab.callbacks.steering.signals import StopOnSignal, interruption

__all__ = [
    "KEY",
    "Checkpoints",
    "ExactResume",
    "KeepMemory",
    "Prune",
    "RunFolder",
    "StopOnSignal",
    "epoch_metrics",
    "interruption",
    "learning_rate",
]
