"""Builds the parts of a run from its config."""

from dataclasses import dataclass
from typing import Any

import lightning

from litlab import console, lightning_internals, sweeps
from litlab.callbacks import (
    AveragedWeights,
    Checkpoints,
    EvaluationOutputs,
    ExactResume,
    KeepMemory,
    Prune,
    RunFolder,
    StopOnSignal,
    Throughput,
    Unfreeze,
    UnreadablePictures,
    was_pruned,
)
from litlab.checkpoint import record_of
from litlab.config import Run, directions
from litlab.data import DataModule
from litlab.distributed import by_torchrun, is_rank
from litlab.engines import choose_engine
from litlab.errors import ConfigError
from litlab.modules import Averages, CompiledNetwork, Supervised
from litlab.networks import Freezable
from litlab.training import weights
from litlab.training.assemble import TASKS, assemble
from litlab.training.limits import has_length
from litlab.training.settle import precision
from litlab.training.trainer import make_trainer


@dataclass
class Parts:
    """The objects that a run consists of.

    Args:
        run: with a config that leaves nothing open.
        checkpoints: None if the config switches them off.
        prune: None if the run is no job of a sweep that prunes, and never was.
    """

    run: Run
    data: DataModule
    module: Supervised
    trainer: lightning.Trainer
    checkpoints: Checkpoints | None
    throughput: Throughput
    resume: ExactResume
    stop: StopOnSignal
    prune: Prune | None


def build_parts(run: Run, saved: dict[str, Any] | None) -> Parts:
    """Builds all parts of a run.

    Args:
        saved: the checkpoint that the run goes on from.

    Raises:
        ConfigError: if a value is refused, or two parts do not fit each other.
    """
    lightning.seed_everything(run.cfg.seed, workers=True, verbose=False)
    run, data, module = assemble(run.settled(**directions(run.cfg)))
    run = _in_precision(run, precision(run, data, saved))
    if not saved:
        weights.load(run, module.network)
    checkpoints, throughput, resume = make_checkpoints(run, data, module), Throughput(), ExactResume(run.plain())
    passed_on = by_torchrun() or (run.job is not None and run.job.launcher == "Joblib")
    stop = StopOnSignal(checkpoints, run.get("preempt_grace_s", 20), twice=passed_on)
    prune, averaged, unfreeze = make_prune(run, saved), make_averaged(run, module), make_unfreeze(run, module)
    always = [EvaluationOutputs(), KeepMemory(), UnreadablePictures(), RunFolder(run.folder), resume]
    always += [*filter(None, (unfreeze, averaged, prune, checkpoints)), stop]
    trainer = make_trainer(run, throughput, always, module.network)
    lightning_internals.skip_empty_hooks([module])
    check_batch_size(data, trainer)
    if run.cfg.model.get("compile"):
        if run.cfg.trainer.strategy == "fsdp":
            raise ConfigError("model.compile=true: not with trainer=fsdp")
        module.compiled = CompiledNetwork(module.network, data.batch_size // trainer.world_size)
    module.engine = choose_engine(run.get("engine", "auto"), trainer, module, run.get("checkpoint.every_n_steps"))
    return Parts(run, data, module, trainer, checkpoints, throughput, resume, stop, prune)


def _in_precision(run: Run, computed: str) -> Run:
    """The run with the precision in which it computes. Says so if that is another one than the user has asked for."""
    asked = str(run.cfg.trainer.precision)
    if asked.startswith("16") and not computed.startswith("16"):
        console.warn(f"trainer.precision={asked}: a CPU has bfloat16 in its place, so the run trains in {computed}")
    return run.settled(**{"trainer.precision": computed})


def make_checkpoints(run: Run, data: DataModule, module: Supervised) -> Checkpoints | None:
    """The callback that writes the best and the last checkpoint; None if the config switches it off."""
    if not run.get("callbacks.checkpoints.enabled", False):
        return None
    record = record_of(run.plain(), data.record(), TASKS[data.task].__name__, data.input_shape, data.num_classes)
    often = {name: run.get(f"checkpoint.{name}") for name in ("every_n_steps", "every_minutes")}
    often["keep"] = run.get("checkpoint.keep", "last")
    return Checkpoints(run.folder / "checkpoints", run.cfg.objective, run.cfg.objective_mode, record, **often)


def make_averaged(run: Run, module: Supervised) -> AveragedWeights | None:
    """The callback that averages the weights, with `ema=` or `swa=`; None without.

    Raises:
        ConfigError: if both are given, if processes divide the weights among them, or if the length is not known.
    """
    decay, begin = run.get("ema"), run.get("swa")
    if decay is None and begin is None:
        return None
    if decay is not None and begin is not None:
        raise ConfigError("ema and swa are two ways to average the weights: leave one out")
    key = "swa" if decay is None else "ema"
    precision = str(run.cfg.trainer.precision)
    if precision.endswith("-true") and precision != "32-true":
        instead = "32-true" if precision == "64-true" else precision.replace("-true", "-mixed")
        raise ConfigError(f"{key}: averages have 32 bits; write trainer.precision={instead}, not {precision}")
    if run.cfg.trainer.strategy == "fsdp":
        raise ConfigError(f"{key}: not with trainer=fsdp, which divides the weights among the processes")
    if begin is not None and not has_length(run.cfg.trainer):
        raise ConfigError("swa needs a length: write trainer.max_epochs or trainer.max_steps")
    module.averages = Averages(module.network, decay)
    return AveragedWeights(module.averages, begin)


def make_unfreeze(run: Run, module: Supervised) -> Unfreeze | None:
    """The callback that trains a frozen backbone too, from `model.unfreeze_at` on; None without.

    Raises:
        ConfigError: if nothing is frozen, that epoch does not come, or the weights are divided among processes.
    """
    epoch, epochs = run.get("model.unfreeze_at"), run.cfg.trainer.max_epochs
    network = module.network
    if epoch is None:
        if isinstance(network, Freezable) and network.frozen:
            _say_idle_factors(run)
        return None
    given = f"model.unfreeze_at={epoch}"
    if not isinstance(network, Freezable) or not network.frozen:
        raise ConfigError(f"{given}: no layer is frozen; write model.freeze=backbone beside it, or leave it out")
    if epochs is not None and 0 < epochs <= epoch:
        raise ConfigError(f"{given}: must be less than trainer.max_epochs={epochs}; the first epoch is 0")
    if run.cfg.trainer.strategy == "fsdp":
        raise ConfigError(f"{given}: not with trainer=fsdp, which divides the weights among the processes")
    module.trained_later = tuple(map(network.get_parameter, network.frozen_names))
    return Unfreeze(network, epoch)


def _say_idle_factors(run: Run) -> None:
    """Warns of learning rates for parts of a backbone that is never trained."""
    for key in ("optimizer.backbone_factor", "optimizer.layer_decay"):
        if (factor := run.get(key, 1)) != 1:
            idle = f"{key}={factor:g} does nothing, because model.freeze=backbone trains the head alone"
            console.warn(f"{idle}; model.unfreeze_at=3 trains the backbone too, from epoch 3 on")


def make_prune(run: Run, saved: dict[str, Any] | None) -> Prune | None:
    """The callback that ends a job of a sweep early; None if the run is no job of a sweep that prunes, and never was.

    Every rank of several has the callback, because they must stop together and only rank 0 knows of the sweep.

    Args:
        saved: the checkpoint that the run goes on from. A run that was pruned may go on.
    """
    until = sweeps.waits_after(run.folder, run.overrides) if run.job else None
    hopeless = sweeps.compared_with_others(run.folder, run.cfg.trainer.max_epochs)
    if until is None and hopeless is None and not is_rank() and not was_pruned(saved):
        return None
    return Prune(run.cfg.objective, hopeless, until)


def check_batch_size(data: DataModule, trainer: lightning.Trainer) -> None:
    """Raises `ConfigError` if the processes cannot share a batch equally."""
    if data.batch_size % trainer.world_size:
        raise ConfigError(
            f"data.batch_size={data.batch_size}: must be a multiple of the {trainer.world_size} processes that share it"
        )
