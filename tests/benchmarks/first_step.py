"""For `run.py`: says when the first training step has ended."""

import time
from typing import Any

import lightning


class FirstStep(lightning.Callback):
    """Prints the time of the end of the first step."""

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0:
            print("first step", time.time(), flush=True)
