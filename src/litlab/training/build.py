"""From a composed config to the parts of a run. Here, and nowhere else, what a config leaves open is settled."""

from dataclasses import dataclass
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint, ProgressBar

from litlab import lightning_internals, sweeps
from litlab.callbacks import (
    Checkpoints,
    EvaluationOutputs,
    ExactResume,
    KeepMemory,
    Panel,
    Panels,
    Prune,
    RunFolder,
    StopOnSignal,
    Throughput,
    learning_rate,
)
from litlab.checkpoint import PlainCheckpointIO, record_of
from litlab.config import FILLED_FROM_DATA, Run, build, objective_mode
from litlab.data import DataModule, SourcesFailedError
from litlab.distributed import hosts, is_rank, ranks_wanted
from litlab.distributed.strategies import distribution
from litlab.engines import choose_engine
from litlab.errors import ConfigError, one_line
from litlab.modules import Classification, CompiledNetwork, Regression, Supervised
from litlab.training import batch_size, weights
from litlab.training.checks import check_loss, check_monitors, check_network, check_optimization

IN_RUN_FOLDER = ("tensorboard", "csv")  # loggers that clear and cut their files


@dataclass
class Parts:
    """What a run is made of."""

    run: Run  # with everything settled
    data: DataModule
    module: Supervised
    trainer: lightning.Trainer
    checkpoints: Checkpoints | None
    throughput: Throughput
    resume: ExactResume
    stop: StopOnSignal
    prune: Prune | None


def settle_before_start(run: Run) -> Run:
    """Settles what all processes of a run must agree on: the batch size, and the GPU of a job among others.

    Raises:
        ConfigError: if not even one image fits, or the run cannot be built.
    """
    if batch_size.is_auto(run):
        processes = ranks_wanted(run.cfg.trainer) * hosts()
        try:
            run = run.settled(**{"data.batch_size": batch_size.largest(run, processes)})
        except ConfigError:
            assemble(run.settled(**{"data.batch_size": processes}))  # says it better, if it is about the config
            raise
    trainer, gpus = run.cfg.trainer, torch.cuda.device_count()
    if run.job and run.job.jobs_at_once > 1 and gpus > 1 and trainer.devices == 1 and trainer.accelerator != "cpu":
        run = run.settled(**{"trainer.devices": [run.job.number % gpus]})
    return run


def build_parts(run: Run, saved: dict[str, Any] | None) -> Parts:
    """Builds everything.

    Args:
        saved: the checkpoint that the run goes on from.

    Raises:
        ConfigError: if something is refused, or does not fit.
    """
    lightning.seed_everything(run.cfg.seed, workers=True, verbose=False)
    run, data, module = assemble(run.settled(objective_mode=objective_mode(run.cfg)))
    run = run.settled(**{"trainer.precision": precision(run, data, saved)})
    if not saved:
        weights.load(run, module.network)
    checkpoints, throughput, resume = make_checkpoints(run, data, module), Throughput(), ExactResume(run.plain())
    stop = StopOnSignal(checkpoints, run.get("preempt_grace_s", 20))
    hopeless = sweeps.hopeless_by_median(run.folder)
    prune = Prune(run.cfg.objective, hopeless) if hopeless or is_rank() else None  # all ranks, or none
    always = [EvaluationOutputs(), KeepMemory(), RunFolder(run.folder), resume]
    always += [*filter(None, (prune, checkpoints)), stop]
    trainer = make_trainer(run, throughput, always, module.network)
    lightning_internals.skip_empty_hooks([module])
    if data.batch_size % trainer.world_size:
        raise ConfigError(
            f"data.batch_size={data.batch_size}: must be a multiple of the {trainer.world_size} processes that share it"
        )
    if run.cfg.model.get("compile"):
        if run.cfg.trainer.strategy == "fsdp":
            raise ConfigError("model.compile=true: not with trainer=fsdp")
        module.compiled = CompiledNetwork(module.network, data.batch_size // trainer.world_size)
    module.engine = choose_engine(run.get("engine", "auto"), trainer, module, run.get("checkpoint.every_n_steps"))
    return Parts(run, data, module, trainer, checkpoints, throughput, resume, stop, prune)


def assemble(run: Run) -> tuple[Run, DataModule, Supervised]:
    """Builds the data module and the network in its LightningModule, and checks that they fit each other.

    Returns:
        The run, with what published weights want filled in; the data; the module.

    Raises:
        ConfigError: if a value is refused, or the network cannot take the data.
    """
    data: DataModule = run.build("data")
    if filled := weights.wanted_by_published(run, data):
        run = run.settled(**filled)
        data = run.build("data")
    for key in FILLED_FROM_DATA:
        value, given = getattr(data, key), run.plain()["model"].get(key)
        value = list(value) if isinstance(value, tuple) else value
        if given is not None and given != value:
            raise ConfigError(
                f"model.{key}={given} contradicts {run.option('data')}, whose {key} is {value}: leave it out"
            )
    network = run.build("model", input_shape=data.input_shape, num_classes=data.num_classes)
    check_network(run, network, data)
    loss = run.build("loss")
    check_loss(run, loss, data, network)
    halved = {"lr": learning_rate(run.cfg)} if run.get("rewinds") else {}
    optimization = (loss, run.build("optimizer", **halved), run.build("scheduler"))
    module: Supervised
    if data.task == "regression":
        module = Regression(network, data.target_shape, *optimization)
    else:
        try:
            module = Classification(network, data.num_classes, *optimization, top5=run.cfg.top5)
        except ValueError as error:
            raise ConfigError(f"top5=true: {run.option('data')} {one_line(error)}") from error
    check_optimization(run, module)
    check_monitors(run, module, data)
    return run, data, module


def prepare_data(run: Run, data: DataModule) -> None:
    """Fetches, verifies and splits the data set.

    Raises:
        ConfigError: if it cannot be had.
    """
    try:
        data.prepare_data()
        data.setup("fit")
    except SourcesFailedError as error:  # the one message that needs more than a line: each source and its reason
        raise ConfigError(str(error)) from error
    except (ValueError, OSError) as error:
        raise run.blame("data", error) from error


def precision(run: Run, data: DataModule, saved: dict[str, Any] | None = None) -> str:
    """What `trainer.precision=auto` stands for.

    bfloat16 autocast where the hardware computes in it, else 32 bits. A run that is resumed keeps what it had, and
    regression its 24 bits of mantissa, of which bfloat16 has 8.
    """
    trainer = run.cfg.trainer
    if trainer.precision != "auto":
        return str(trainer.precision or "32-true")
    if saved:
        return str(saved["litlab"]["numerics"]["precision"])
    if trainer.accelerator != "cpu" and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        known = torch.cpu.get_capabilities()
        fast = bool(known.get("avx512_bf16") or known.get("amx_tile"))
    return "bf16-mixed" if fast and data.task == "classification" else "32-true"


def make_trainer(run: Run, first: Callback, callbacks: list[Callback], network: torch.nn.Module) -> lightning.Trainer:
    """The Trainer, with the configured callbacks and loggers beside those given.

    Raises:
        ConfigError: if it, or one of them, refuses its values, or does not fit the network.
    """
    loggers = [_configured(run, "logger", name) for name in run.get("logger") or ()]
    configured = {
        name: _configured(run, "callbacks", name)
        for name, node in (run.get("callbacks") or {}).items()
        if node and node.get("_target_") and node.get("enabled", True)
    }
    panels = {name: panel for name, panel in configured.items() if isinstance(panel, Panel)}
    for name, panel in panels.items():
        try:
            panel.check_network(network)
        except ValueError as error:
            raise ConfigError(f"callbacks.{name}.{error}") from error
    chosen = [callback for callback in configured.values() if not isinstance(callback, Panel)]
    arguments = {
        "callbacks": [first, *chosen, *([Panels(list(panels.values()))] if panels else []), *callbacks],
        "logger": loggers,
        "profiler": lightning_internals.NoProfiler(),
        "default_root_dir": str(run.folder),
        "use_distributed_sampler": False,  # litlab's own sampler deals the batches
        "enable_checkpointing": any(isinstance(callback, Checkpoint) for callback in callbacks),
        "enable_model_summary": False,
        "enable_progress_bar": any(isinstance(callback, ProgressBar) for callback in chosen),
        **distribution(run.cfg.trainer.strategy, run.cfg.trainer.devices),
    }
    arguments["plugins"] = [PlainCheckpointIO(), *arguments.get("plugins", ())]
    trainer: lightning.Trainer = run.build("trainer", **arguments)
    lightning_internals.skip_empty_hooks(trainer.callbacks)  # type: ignore[attr-defined]
    lightning_internals.look_for_gpus_once()
    return trainer


def make_checkpoints(run: Run, data: DataModule, module: Supervised) -> Checkpoints | None:
    """The callback that keeps the best and the last checkpoint, unless it is switched off."""
    if not run.get("callbacks.checkpoints.enabled", False):
        return None
    record = record_of(run.plain(), data.record(), type(module).__name__, data.input_shape, data.num_classes)
    often = {name: run.get(f"checkpoint.{name}") for name in ("every_n_steps", "every_minutes")}
    return Checkpoints(run.folder / "checkpoints", run.cfg.objective, run.cfg.objective_mode, record, **often)


def _configured(run: Run, group: str, name: str) -> Any:
    node = run.plain()[group][name]
    node.pop("enabled", None)
    if node.get("save_dir") and group == "logger" and name in IN_RUN_FOLDER:
        raise ConfigError(f"logger.{name}.save_dir={node['save_dir']}: must be null, the run folder")
    if "save_dir" in node and node["save_dir"] is None:
        node["save_dir"] = str(run.folder)
    return build({group: node}, group, run.chosen)
