"""From a composed config to the parts of a run: data, network in its LightningModule, Trainer.

What does not fit together is found here, before anything is trained.
"""

from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig, OmegaConf

from litlab import config, console, lean, ranks, weights
from litlab.callbacks import Checkpoints, Part, Watch, summary_table
from litlab.callbacks.exact import learning_rate
from litlab.callbacks.watch import evaluating
from litlab.checkpoint import FORMAT, PlainCheckpointIO
from litlab.config import ConfigError, blame, build
from litlab.console import one_line
from litlab.data import DataModule, SourcesFailedError
from litlab.fsdp import FullyShardedStrategy
from litlab.modules import Classification, Regression, Supervised


def assemble(cfg: DictConfig) -> tuple[DataModule, Supervised]:
    """Builds the data module and the network in its LightningModule, and checks that they fit each other.

    Raises:
        ConfigError: if a value is refused, or the network cannot take the data.
    """
    data: DataModule = build(cfg, "data")
    if weights.prefer_published(cfg, data):
        data = build(cfg, "data")
    for key in config.FILLED_FROM_DATA:
        value = getattr(data, key)
        value = list(value) if isinstance(value, tuple) else value
        given = cfg.model.get(key)
        given = list(given) if OmegaConf.is_list(given) else given
        if given is not None and given != value:
            raise ConfigError(
                f"model.{key}={given} contradicts data={config.choice('data')}, whose {key} is {value}: leave it out"
            )
    network = build(cfg, "model", input_shape=data.input_shape, num_classes=data.num_classes)
    check_network(network, data)
    loss = build(cfg, "loss")
    check_loss(loss, data, network)
    halved = {"lr": learning_rate(cfg)} if cfg.get("rewinds") else {}
    optimization = (loss, build(cfg, "optimizer", **halved), build(cfg, "scheduler"))
    module: Supervised
    if data.task == "regression":
        module = Regression(network, data.target_shape, *optimization)
    else:
        try:
            module = Classification(network, data.num_classes, *optimization, top5=cfg.top5)
        except ValueError as error:
            raise ConfigError(f"top5=true: data={config.choice('data')} {one_line(error)}") from error
    check_optimization(cfg, module)
    validated = data.validates and cfg.trainer.limit_val_batches != 0
    names = [name for name in module.metric_names if validated or name.startswith("train/")]
    stops = OmegaConf.select(cfg, "callbacks.early_stopping.enabled", default=False)
    for key in ("objective", "scheduler.monitor", *(["callbacks.early_stopping.monitor"] if stops else [])):
        value = OmegaConf.select(cfg, key)
        if value is not None and value not in names:
            raise ConfigError(f"{key}={value} is not logged; what is: {', '.join(names)}")
    return data, module


def check_optimization(cfg: DictConfig, module: Supervised) -> None:
    """Makes an optimizer and a schedule and throws them away.

    Raises:
        ConfigError: if either refuses its values.
    """
    try:
        optimizer = module.make_optimizer([p for p in module.network.parameters() if p.requires_grad])
    except (ValueError, TypeError, RuntimeError) as error:
        raise blame(cfg, "optimizer", error) from error
    trainer = cfg.trainer
    if trainer.gradient_clip_val and str(trainer.precision) == "16-mixed" and optimizer.defaults.get("fused"):
        raise ConfigError(
            "trainer.gradient_clip_val: in 16-mixed, gradients are scaled until a fused optimizer steps; "
            "write optimizer.fused=false, or trainer.precision=bf16-mixed"
        )
    if not module.make_schedulers:
        return
    if not trainer.max_epochs and trainer.get("max_time") and trainer.get("max_steps") in (None, -1):
        raise ConfigError(
            f"scheduler={config.choice('scheduler')} needs the length of the training: "
            "write trainer.max_epochs beside trainer.max_time, or scheduler=none"
        )
    try:
        module.make_schedulers(optimizer, 1, trainer.max_epochs or 1)
    except (ValueError, TypeError) as error:
        raise blame(cfg, "scheduler", error) from error


def check_loss(loss: torch.nn.Module, data: DataModule, network: torch.nn.Module) -> None:
    """Computes the loss of one batch.

    Raises:
        ConfigError: if it is one for another task, or refuses the shapes, or what the network makes.
    """
    given = f"loss={config.choice('loss')}"
    size = data.num_classes + 1  # so that no loss takes the classes for the batch
    try:
        if data.task == "classification":
            if not isinstance(loss, torch.nn.CrossEntropyLoss | torch.nn.NLLLoss):
                raise ConfigError(f"{given} is for regression, and data={config.choice('data')} has classes")
            loss(torch.zeros(size, data.num_classes), torch.zeros(size, dtype=torch.long))
        else:
            if isinstance(loss, torch.nn.CrossEntropyLoss | torch.nn.NLLLoss):
                raise ConfigError(
                    f"{given} is for classes, and data={config.choice('data')} has none: "
                    "use loss=mse objective=val/mse (or l1, smooth_l1)"
                )
            loss(torch.zeros(size, *data.target_shape), torch.zeros(size, *data.target_shape))
            if isinstance(loss, torch.nn.BCELoss) and not makes_probabilities(network, data):
                raise ConfigError(
                    f"{given} takes predictions from 0 to 1, and model={config.choice('model')} makes others: "
                    "write model.output=sigmoid, or loss=mse"
                )
    except (RuntimeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        message = one_line(error)
        raise ConfigError(
            f"loss.{message}" if message.startswith("class_weights") else f"{given}: {message}"
        ) from error


@torch.no_grad()
def makes_probabilities(network: torch.nn.Module, data: DataModule) -> bool:
    """Whether all that the network makes, even of large inputs, lies between 0 and 1."""
    inputs = torch.linspace(-1e3, 1e3, 2 * torch.Size(data.input_shape).numel()).view(2, *data.input_shape)
    with evaluating(network):
        values = network(torch.cat((inputs, -inputs)))
    return bool(((values >= 0) & (values <= 1)).all())


def check_network(network: torch.nn.Module, data: DataModule) -> None:
    """Passes one batch through.

    Raises:
        ConfigError: naming the shapes, if it does not come out as logits [B, num_classes].
    """
    model, source = f"model={config.choice('model')}", f"data={config.choice('data')}"
    batch = torch.zeros(2, *data.input_shape)
    try:
        with torch.no_grad(), evaluating(network):
            logits = network(batch)
    except (RuntimeError, ValueError) as error:
        shape = list(batch.shape)
        raise ConfigError(f"{model} cannot take {source}: images {shape} fail, {one_line(error)}") from error
    if tuple(logits.shape) != (2, data.num_classes):
        raise ConfigError(
            f"{model} makes {list(logits.shape)} of images {list(batch.shape)}, "
            f"but {source} needs [2, {data.num_classes}]"
        )


def summarize(cfg: DictConfig) -> None:
    """Prints the layers of the configured network, for the configured data, without training it.

    Raises:
        ConfigError: as `assemble` does.
    """
    console.quieten()
    data, module = assemble(cfg)
    console.say(f"{data.name}: {' x '.join(map(str, data.input_shape))}")
    console.say(summary_table(module.network, data.input_shape, max_depth=3))


def prepare_data(cfg: DictConfig, data: DataModule) -> None:
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
        raise blame(cfg, "data", error) from error


def precision(cfg: DictConfig, data: DataModule, saved: dict[str, Any] | None = None) -> str:
    """What `trainer.precision=auto` stands for.

    bfloat16 autocast where the hardware computes in it, else 32 bits: a run that is resumed keeps what it had, and
    regression its 24 bits of mantissa, of which bfloat16 has 8.
    """
    if cfg.trainer.precision != "auto":
        return str(cfg.trainer.precision or "32-true")
    if saved:
        return str(saved["litlab"]["numerics"]["precision"])
    if cfg.trainer.accelerator != "cpu" and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16-mixed" if fast and data.task == "classification" else "32-true"


def make_trainer(
    cfg: DictConfig, run_dir: Path, callbacks: list[Callback], network: torch.nn.Module
) -> lightning.Trainer:
    """The Trainer, with the configured callbacks and loggers beside those given.

    Raises:
        ConfigError: if it, or one of them, refuses its values, or does not fit the network.
    """
    loggers = [_configured(cfg, "logger", name, run_dir) for name in cfg.get("logger") or ()]
    configured = {
        name: _configured(cfg, "callbacks", name, run_dir)
        for name, node in (cfg.get("callbacks") or {}).items()
        if node and node.get("_target_") and node.get("enabled", True)
    }
    parts = {name: part for name, part in configured.items() if isinstance(part, Part)}
    for name, part in parts.items():
        try:
            part.check(network)
        except ValueError as error:
            raise ConfigError(f"callbacks.{name}.{error}") from error
    chosen = [callback for callback in configured.values() if not isinstance(callback, Part)]
    arguments = {
        "callbacks": [*chosen, *([Watch(list(parts.values()))] if parts else []), *callbacks],
        "logger": loggers,
        "profiler": lean.NoProfiler(),
        "default_root_dir": str(run_dir),
        "use_distributed_sampler": False,  # litlab's own sampler deals the batches
        "enable_checkpointing": any(isinstance(c, lightning.pytorch.callbacks.Checkpoint) for c in callbacks),
        "enable_model_summary": False,
        "enable_progress_bar": any(isinstance(c, lightning.pytorch.callbacks.ProgressBar) for c in chosen),
        **distribution(cfg.trainer),
    }
    arguments["plugins"] = [PlainCheckpointIO(), *arguments.get("plugins", ())]
    trainer: lightning.Trainer = build(cfg, "trainer", **arguments)
    lean.leave_out_empty_hooks(trainer.callbacks)  # type: ignore[attr-defined]
    lean.look_for_gpus_once()
    return trainer


def distribution(trainer: Any) -> dict[str, Any]:
    """What the Trainer is told about its processes; under a launcher, what the launcher has started."""
    arguments: dict[str, Any] = {}
    if ranks.is_rank():
        devices, local = trainer.devices, ranks.local_size()
        chosen = OmegaConf.is_list(devices) and len(devices) == local  # litlab's own launcher: certain GPUs
        arguments["devices"] = list(devices) if chosen else local
        arguments["num_nodes"] = ranks.world_size() // local
        arguments["plugins"] = [TorchElasticEnvironment()]  # found by Lightning only where SLURM is not found first
    if trainer.strategy in ("auto", "ddp") and (ranks.world_size() > 1 or trainer.strategy == "ddp"):
        # Buffers are what rank 0 has, and are sent before each evaluation, not before each step: ranks may then
        # evaluate different numbers of batches.
        arguments["strategy"] = lightning.pytorch.strategies.DDPStrategy(broadcast_buffers=False)
    if trainer.strategy == "fsdp":
        if ranks.world_size() == 1:
            raise ConfigError("trainer=fsdp splits a model among several processes, and there is one: use trainer=gpu")
        arguments["strategy"] = FullyShardedStrategy()
    return arguments


def checkpoints(cfg: DictConfig, data: DataModule, module: Supervised, run_dir: Path) -> Checkpoints | None:
    """The callback that keeps the best and the last checkpoint, unless switched off."""
    if not OmegaConf.select(cfg, "callbacks.checkpoints.enabled", default=False):
        return None
    composed = plain_config(cfg)
    network = named(composed["model"])
    shapes = {"input_shape": list(data.input_shape), "num_classes": data.num_classes}
    record = {
        "format": FORMAT,
        "network": network | {"args": network["args"] | shapes},
        "task": type(module).__name__,
        "loss": named(composed["loss"]),
        "data": data.record(),
        "source": named(composed["data"]),
        "numerics": {
            "precision": cfg.trainer.precision,
            "log_every_n_steps": cfg.trainer.log_every_n_steps,
        },
        "config": composed,
    }
    often = {name: OmegaConf.select(cfg, f"checkpoint.{name}") for name in ("every_n_steps", "every_minutes")}
    return Checkpoints(run_dir / "checkpoints", cfg.objective, cfg.objective_mode, record, **often)


def plain_config(cfg: DictConfig) -> dict[str, Any]:
    """The config, resolved, as plain data."""
    composed: Any = OmegaConf.to_container(cfg, resolve=True)
    return composed


def named(node: dict[str, Any]) -> dict[str, Any]:
    """A group of the config as a checkpoint records it: the class by name, and its arguments."""
    return {
        "name": node["_target_"],
        "args": {k: v for k, v in node.items() if not k.startswith("_") and k not in config.STARTING},
    }


def _configured(cfg: DictConfig, group: str, name: str, run_dir: Path) -> Any:
    node = OmegaConf.to_container(cfg[group][name], resolve=True)
    assert isinstance(node, dict)
    node.pop("enabled", None)
    if node.get("save_dir") and group == "logger" and name in ("tensorboard", "csv"):  # which clear and cut their files
        raise ConfigError(f"logger.{name}.save_dir={node['save_dir']}: must be null, the run folder")
    if "save_dir" in node and node["save_dir"] is None:
        node["save_dir"] = str(run_dir)
    return build(OmegaConf.create({group: node}), group)
