"""Records the operations of a function once, and repeats them on the same memory."""

import gc
from collections.abc import Callable
from typing import Protocol

import torch


class Recorder(Protocol):
    """Records a function without results, and repeats it."""

    def record(self, function: Callable[[], None]) -> None:
        """Records `function`; may run it or not.

        Raises:
            RuntimeError: if it does something that cannot be recorded.
        """

    def replay(self) -> None:
        """Repeats what was recorded."""


class CudaRecorder:
    """A CUDA graph: nothing is run while it is recorded, and a replay is one launch."""

    def __init__(self) -> None:
        self.graph = torch.cuda.CUDAGraph()

    def record(self, function: Callable[[], None]) -> None:
        torch.cuda.synchronize()
        gc.collect()  # a tensor that is freed within the recording, or a graph, would break it
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            function()

    def replay(self) -> None:
        self.graph.replay()
