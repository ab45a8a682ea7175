"""`ensemble=true`: the jobs of a sweep predict together."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from litlab import checkpoint, sweeps
from litlab.checkpoint import Named, Trained
from litlab.config import Run
from litlab.errors import ConfigError
from litlab.prediction.find import find_checkpoint
from litlab.prediction.held_out import check_held_out_by_all
from litlab.prediction.settings import trust_list
from litlab.prediction.views import with_views
from litlab.runs import BEST


class Ensemble(nn.Module):
    """Several networks as one.

    Args:
        networks: they take the same images.
        of_classes: True for the logarithm of the mean probability of each class, whose softmax is that probability;
            False for the mean output.
    """

    def __init__(self, networks: Sequence[nn.Module], of_classes: bool) -> None:
        super().__init__()
        self.networks, self.of_classes = nn.ModuleList(networks), of_classes

    def forward(self, images: Tensor) -> Tensor:
        """Outputs [B, ...] of images [B, C, H, W]."""
        outputs = torch.stack([network(images).float() for network in self.networks])
        if not self.of_classes:
            return outputs.mean(0)
        return outputs.log_softmax(2).logsumexp(0) - math.log(len(outputs))


def load_asked(run: Run) -> Trained:
    """The network that `ckpt` names, or all networks of that sweep as one, with the views of `tta`.

    Raises:
        ConfigError: if the jobs of the sweep do not go together, `ckpt` is no sweep, or `tta` does not suit them.
        FileNotFoundError, ValueError: if there is no checkpoint, or it cannot be used.
    """
    return with_views(_load(run), run)


def _load(run: Run) -> Trained:
    trust = trust_list(run)
    if not run.get("ensemble"):
        return checkpoint.load(find_checkpoint(str(run.cfg.ckpt)), trust)
    if run.get("export.format"):
        raise ConfigError("ensemble=true: for input, evaluate and demo, not for export")
    sweep = Path(str(run.cfg.ckpt)).expanduser()
    jobs = [job for job, result in sweeps.jobs_in(sweep) if result.get("status") == "completed"]
    files = [job.folder / BEST for job in jobs if (job.folder / BEST).is_file()]
    if not files:
        raise ConfigError(f"ensemble=true: ckpt={run.cfg.ckpt} is no sweep with completed jobs")
    members = [checkpoint.load(file, trust) for file in files]
    trained = together(members, sweep)
    check_held_out_by_all(members, run)
    return trained


def together(members: Sequence[Trained], sweep: Path) -> Trained:
    """Trained networks as one.

    Raises:
        ConfigError: if they were trained on different data.
    """
    first = members[0]
    if first.task == "Multilabel":
        raise ConfigError("ensemble=true: each network has thresholds of its own for the labels; choose one by ckpt=")
    for other in members[1:]:
        if (other.task, replace(other.data, drawn={})) != (first.task, replace(first.data, drawn={})):
            names = [member.path.parents[1].name for member in (first, other)]
            raise ConfigError(f"ensemble=true: {names[0]} and {names[1]} were not trained on the same kind of data")
    network = Ensemble([member.network for member in members], first.task == "Classification").eval()
    return Trained(
        **{
            **vars(first),
            "path": sweep,
            "network": network,
            "architecture": Named(f"{len(members)} networks", {}),
            "metrics": {},
        }
    )
