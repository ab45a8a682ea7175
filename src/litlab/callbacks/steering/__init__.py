"""The callbacks that keep a run alive and end it well: checkpoints, exact resume, signals, pruning.

What happens when a signal arrives:

1. Before and after a run, `cli/signals.py` handles SIGINT (Ctrl-C) and SIGTERM. They end the script.
2. During a run, the handler of `StopOnSignal` notes the signal. `distributed/launch.py` passes it on to all ranks. If
   no loop of the Trainer is running, for example while data are prepared, the handler raises `Interrupted` at once.
3. After the current step, `StopOnSignal` lets `Checkpoints` write `last.ckpt`. Several ranks first agree on the step.
   Then it raises `Interrupted`, which leaves the Trainer.
4. `training/run.py` writes `result.json` with the status `interrupted`. `cli/script.py` turns it into the exit status,
   or lets submitit queue the job again.
5. In a sweep, `sweeps/stopping.py` sees to it that no more jobs begin, and that jobs running beside this one save too.
6. Data workers ignore these signals. The process that trains ends them.

A second signal, or the end of the grace period, ends the process at once.
"""

from litlab.callbacks.steering.averaging import AveragedWeights
from litlab.callbacks.steering.checkpoints import Checkpoints, epoch_metrics
from litlab.callbacks.steering.folder import RunFolder
from litlab.callbacks.steering.memory import KeepMemory
from litlab.callbacks.steering.new_settings import learning_rate
from litlab.callbacks.steering.prune import Prune, was_pruned
from litlab.callbacks.steering.resume import KEY, ExactResume
from litlab.callbacks.steering.signals import StopOnSignal, interruption
from litlab.callbacks.steering.unfreeze import Unfreeze

__all__ = [
    "KEY",
    "AveragedWeights",
    "Checkpoints",
    "ExactResume",
    "KeepMemory",
    "Prune",
    "RunFolder",
    "StopOnSignal",
    "Unfreeze",
    "epoch_metrics",
    "interruption",
    "learning_rate",
    "was_pruned",
]
