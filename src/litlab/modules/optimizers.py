"""Optimizers that torch does not have."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients with the steepest slope at 0 (Jordan 2024)


class Muon(Optimizer):
    """Muon for the filters of convolutions, SGD with Nesterov momentum for everything else.

    A filter bank, as a matrix with one row a filter, moves by the nearest matrix with orthogonal rows to its momentum,
    and keeps a norm of the square root of its number of filters. torch.optim.Muon takes matrices only, and nothing
    beside them.

    Jordan et al. 2024, "Muon: an optimizer for hidden layers"; for CIFAR-10, arXiv:2404.00498 and its sequel.

    Args:
        params: all parameters of a network.
        lr: of the filters.
        momentum: of the filters.
        sgd_momentum: of all else.
        head_factor: learning rate of matrices (dense layers), as a multiple of `lr`.
        bias_factor: learning rate of vectors (biases, batch norm), as a multiple of `lr`.
        weight_decay: of all but the filters: the fraction taken off at a step while the learning rates are these.

    Raises:
        ValueError: for a value that cannot be; the message begins with the argument's name.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 0.24,
        momentum: float = 0.6,
        sgd_momentum: float = 0.85,
        head_factor: float = 1.0,
        bias_factor: float = 1.0,
        weight_decay: float = 0.0,
    ) -> None:
        for name, value in (("momentum", momentum), ("sgd_momentum", sgd_momentum)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1, not {value}")
        for name, value in (("lr", lr), ("head_factor", head_factor), ("bias_factor", bias_factor)):
            if value <= 0:
                raise ValueError(f"{name} must be above 0, not {value}")
        if weight_decay < 0:
            raise ValueError(f"weight_decay must be at least 0, not {weight_decay}")
        kinds: dict[str, list[nn.Parameter]] = {"filters": [], "matrices": [], "vectors": []}
        for parameter in params:
            kinds["filters" if parameter.ndim > 2 else "matrices" if parameter.ndim == 2 else "vectors"].append(
                parameter
            )
        settings: dict[str, dict[str, Any]] = {
            "filters": {"lr": lr, "momentum": momentum},
            "matrices": {"lr": lr * head_factor, "momentum": sgd_momentum},
            "vectors": {"lr": lr * bias_factor, "momentum": sgd_momentum},
        }
        for kind in ("matrices", "vectors"):
            settings[kind]["weight_decay"] = weight_decay / settings[kind]["lr"]  # it falls as the learning rate does
        groups = [{"params": kinds[kind], "kind": kind, **settings[kind]} for kind in kinds if kinds[kind]]
        super().__init__(groups, {})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step; returns what `closure` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            gradients = self._nesterov(parameters, group["momentum"])
            lr = group["lr"]
            if group["kind"] == "filters":
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.mul_(len(parameter) ** 0.5 / parameter.norm())
                    update = orthogonal(gradient.flatten(1)).view_as(parameter)
                    if isinstance(lr, Tensor):
                        parameter.sub_(update * lr)
                    else:
                        parameter.add_(update, alpha=-lr)
                continue
            torch._foreach_mul_(parameters, 1 - lr * group["weight_decay"])
            if isinstance(lr, Tensor):
                torch._foreach_sub_(parameters, torch._foreach_mul(gradients, lr))
            else:
                torch._foreach_add_(parameters, gradients, alpha=-lr)
        return loss

    def _nesterov(self, parameters: list[nn.Parameter], momentum: float) -> list[Tensor]:
        gradients: list[Tensor] = [p.grad for p in parameters if p.grad is not None]
        for parameter in parameters:
            if "momentum" not in self.state[parameter]:
                self.state[parameter]["momentum"] = torch.zeros_like(parameter)
        buffers = [self.state[parameter]["momentum"] for parameter in parameters]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, gradients)
        return list(torch._foreach_add(gradients, buffers, alpha=momentum))


def orthogonal(matrix: Tensor, steps: int = 3) -> Tensor:
    """About the nearest matrix [n, m] with orthogonal rows (columns, if n > m): singular values end near 1.

    A quintic Newton-Schulz iteration, in bfloat16 where that is fast.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrix.bfloat16() if matrix.is_cuda else matrix.clone()
    x = x / (x.norm() + 1e-7)
    if wide := x.shape[0] > x.shape[1]:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if wide else x).to(matrix.dtype)
