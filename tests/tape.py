"""Records and replays a step on the CPU, as a CUDA graph does on a GPU."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class TapeRecorder:
    """Does on the CPU what a CUDA graph does, for tests: the operations run again on the same tensors.

    Like there, a plain number is the number that it was, and a tensor that was made anew stays where it is. A value
    that is read on the host is an error. Here the function is run while it is recorded, so `record` puts back what it
    has written into tensors that were there before.
    """

    def __init__(self) -> None:
        self.tape: list[tuple[Any, tuple, dict, list[Tensor]]] = []

    def record(self, function: Callable[[], None]) -> None:
        with _Tape(self.tape):
            function()

    def replay(self) -> None:
        with torch.no_grad():
            for operation, args, kwargs, made in self.tape:
                found = [value for value in tree_leaves(operation(*args, **kwargs)) if isinstance(value, Tensor)]
                for tensor, value in zip(made, found, strict=True):
                    if tensor.data_ptr() != value.data_ptr():
                        tensor.copy_(value)


class _Tape(TorchDispatchMode):
    def __init__(self, tape: list[Any]) -> None:
        super().__init__()
        self.tape = tape

    def __torch_dispatch__(self, operation: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        if operation in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.is_nonzero.default):
            raise RuntimeError("a value is read on the host")
        found = operation(*args, **(kwargs or {}))
        self.tape.append((operation, args, kwargs or {}, [v for v in tree_leaves(found) if isinstance(v, Tensor)]))
        return found
