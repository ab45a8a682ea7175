"""One training run, from a composed config to a folder with a trained network and a `result.json`."""

import json
import os
import platform
import shutil
import signal
from pathlib import Path
from typing import Any

import lightning
import torch
import torchvision
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, OmegaConf
from rich.box import SIMPLE_HEAD
from rich.table import Table

import litlab
from litlab import config, console, launch, resume, weights
from litlab.callbacks import (
    Checkpoints,
    ExactResume,
    Interrupted,
    StopOnSignal,
    Throughput,
    epoch_metrics,
    summary_table,
)
from litlab.callbacks.exact import KEY
from litlab.checkpoint import FORMAT, PlainCheckpointIO, atomic, copy, read
from litlab.cli import RunFailed
from litlab.config import RESULT, ConfigError, blame, build
from litlab.data import DataModule, SourcesFailedError
from litlab.data.datasets import OtherBatches, WorkerFailed
from litlab.modules import Classification, NonFiniteLoss, Regression, Supervised
from litlab.resume import Resumed


def run(cfg: DictConfig, resumed: Resumed | None = None) -> float | None:
    """Trains as `cfg` says, in one process or several; returns the best value of the objective.

    A new run takes place in Hydra's run folder, a resumed one in its own.

    Raises:
        ConfigError: for a wrong setting, before anything was trained; the run folder is then removed again, or
            left as it was.
        RunFailed: if training began and could not be finished.
    """
    run_dir = resumed.folder if resumed else _new_run_dir()
    if config.in_sweep() and (result := finished(cfg, run_dir)):
        console.say(f"{run_dir.name}: finished before, not run again")
        return _objective(result)
    lock = resume.hold(run_dir)
    try:
        config.check(cfg)
        if cfg.get("summary"):
            summarize(cfg)
            _remove_if_unused(run_dir)
            return None
        if resumed:
            _go_on(cfg, resumed)
        else:
            share_machine(cfg, HydraConfig.get())
            _train(cfg, run_dir, list(HydraConfig.get().overrides.task))
    except ConfigError as error:
        if config.in_sweep():  # a row of the sweep's table
            write_result(run_dir, {"status": "failed", "metrics": {}, "error": str(error)})
        elif not resumed:
            _remove_if_unused(run_dir)
        raise
    finally:
        os.close(lock)
    return _objective(json.loads((run_dir / RESULT).read_text()))


def _objective(result: dict[str, Any]) -> float | None:
    return result["objective"]["value"] if result["objective"] else None


def _go_on(cfg: DictConfig, resumed: Resumed) -> None:
    folder = resumed.folder
    checkpoint = resume.whole_checkpoint(folder, resumed.checkpoint)
    put_back = resume.record(folder, cfg, resumed.overrides)
    launch.log_to(folder)
    place = checkpoint.name if checkpoint else "its beginning: nothing was saved yet"
    console.say(f"resuming {_shown(folder)} from {place}")
    try:
        _train(cfg, folder, resumed.overrides, checkpoint)
    except ConfigError:
        put_back()
        raise


def _train(cfg: DictConfig, run_dir: Path, overrides: list[str], checkpoint: Path | None = None) -> None:
    count = launch.ranks_wanted(cfg.trainer)
    if count > 1 and not launch.is_rank():
        launch.start_ranks(run_dir, count, checkpoint=checkpoint)
    else:
        train(cfg, run_dir, overrides, checkpoint)


def finished(cfg: DictConfig, run_dir: Path) -> dict[str, Any] | None:
    """The result of a job that an earlier start of the same sweep has completed.

    Raises:
        ConfigError: if it was trained with another config, naming the first difference.
    """
    path = run_dir / RESULT
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"status": None}
    if result["status"] != "completed":
        return None
    for key, now in numeric_config(cfg).items():
        if (before := result["config"].get(key)) != now:
            raise ConfigError(
                f"{run_dir.name} was completed with {key}={before}, which is now {now}: use another hydra.sweep.dir"
            )
    return result


def numeric_config(cfg: DictConfig) -> dict[str, Any]:
    """Every setting that can change the numbers of a run, as flat keys."""
    flat: dict[str, Any] = {}

    def walk(node: Any, key: str) -> None:
        if isinstance(node, dict) and node:
            for name, value in node.items():
                walk(value, f"{key}.{name}")
        else:
            flat[key] = node

    composed: Any = OmegaConf.to_container(cfg, resolve=True)
    for name in (*config.GROUPS, "seed", "objective"):
        walk(composed[name], name)
    places = ("data.data_dir", "data.num_workers", "data.pin_memory", "trainer.accelerator", "trainer.devices")
    return {key: value for key, value in flat.items() if key not in places}


def share_machine(cfg: DictConfig, hydra: Any) -> None:
    """Gives this job its part of the CPU, and of the GPUs, when a launcher runs several jobs at once."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    jobs = OmegaConf.select(hydra, "launcher.n_jobs", default=1) or 1
    jobs = cores if jobs < 1 else jobs
    if cfg.threads or jobs > 1:
        torch.set_num_threads(cfg.threads or max(1, cores // jobs))
    gpus = torch.cuda.device_count()
    if jobs > 1 and gpus > 1 and cfg.trainer.devices == 1 and cfg.trainer.accelerator != "cpu":
        cfg.trainer.devices = [hydra.job.num % gpus]


def write_result(run_dir: Path, result: dict[str, Any]) -> None:
    """Writes `result.json` atomically."""
    with atomic(run_dir / RESULT) as temporary:
        temporary.write_text(json.dumps({"objective": None} | result, indent=2) + "\n")


def train(cfg: DictConfig, run_dir: Path, overrides: list[str], resume_from: Path | None = None) -> None:
    """Trains in this process, which may be one of several, and writes `result.json` from rank 0.

    Args:
        resume_from: the checkpoint to go on from.

    Raises:
        ConfigError, RunFailed: as `run` does.
    """
    console.quieten()
    saved = read(resume_from) if resume_from else None
    if saved:
        check_resumable(cfg, saved)
    cfg.objective_mode = objective_mode(cfg)
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)
    data, module = assemble(cfg)
    weights.load(cfg, module.network)
    monitor = checkpoints(cfg, data, module, run_dir)
    throughput = Throughput()
    exact = ExactResume(plain_config(cfg))
    stop = StopOnSignal(monitor, cfg.get("preempt_grace_s", 20))
    trainer = make_trainer(cfg, run_dir, [exact, *filter(None, (monitor,)), throughput, stop])
    if data.batch_size % trainer.world_size:
        raise ConfigError(
            f"data.batch_size={data.batch_size}: must be a multiple of the {trainer.world_size} processes that share it"
        )
    try:
        data.prepare_data()
        data.setup("fit")
    except SourcesFailedError as error:  # the one message that needs more than a line: each source and its reason
        raise ConfigError(str(error)) from error
    except (ValueError, OSError) as error:
        raise blame(cfg, "data", error) from error

    kind = "images" if len(data.input_shape) == 3 else "points"
    console.say(
        f"{data.name}: {' / '.join(f'{size:,}' for size in data.sizes.values())} {kind}  |  "
        f"{type(module.network).__name__}  |  {device_name(trainer)}"
    )
    if trainer.is_global_zero:
        start_files(trainer, run_dir, monitor, saved, resume_from)
    del saved
    status, metrics, speed = "completed", {}, 0.0
    failure: Exception | None = None
    try:
        with stop:
            trainer.fit(module, datamodule=data, ckpt_path=str(resume_from) if resume_from else None)
            speed = throughput.images_per_second  # the test restores the best checkpoint, and with it its callbacks
            metrics = epoch_metrics(trainer)
            if monitor and monitor.best_metrics:
                metrics = dict(monitor.best_metrics)
            if cfg.test and "test" in data.sizes and not (monitor and "best.ckpt" in monitor.unsaved):
                best = str(monitor.best) if monitor else None
                trainer.test(module, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
                metrics |= epoch_metrics(trainer)
        if monitor and monitor.unsaved:
            status, failure = "failed", RunFailed(f"not saved: {'; '.join(monitor.unsaved.values())}")
    except OtherBatches as error:
        raise ConfigError(f"data.{error}") from error
    except Exception as error:
        status, failure = explain(error, cfg, trainer, monitor, stop)
    stop.done()
    if trainer.is_global_zero:
        result = describe(cfg, run_dir, status, metrics, monitor, trainer, data, overrides)
        result |= {
            "seconds": round(exact.seconds, 3),
            "images_per_second": round(speed or throughput.images_per_second, 1),
        }
        if failure:
            expected = isinstance(failure, RunFailed)
            result["error"] = str(failure) if expected else f"{type(failure).__name__}: {failure}"
        try:
            write_result(run_dir, result)
        except OSError as error:
            failure = failure or RunFailed(f"result.json could not be saved: {error.strerror}")
        report(result, run_dir, takes_pictures=len(data.input_shape) == 3)
    if failure:
        raise failure


FIXED = ("model", "data._target_", "data.seed", "data.val_size", "optimizer._target_")


def check_resumable(cfg: DictConfig, saved: dict[str, Any]) -> None:
    """Refuses what would make a resumed run another run.

    Raises:
        ConfigError: naming the setting.
    """
    before, now = OmegaConf.create(saved["litlab"]["config"]), OmegaConf.create(plain_config(cfg))
    for key in FIXED:
        if OmegaConf.select(before, key) != OmegaConf.select(now, key):
            name = key.removesuffix("._target_")
            raise ConfigError(f"{name} cannot change in a run that is resumed: start a new run")
    done, epochs = saved["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"], cfg.trainer.max_epochs
    if epochs not in (None, -1) and done > epochs:
        raise ConfigError(f"trainer.max_epochs={epochs}: the checkpoint is at the end of epoch {done} already")


def start_files(
    trainer: lightning.Trainer,
    run_dir: Path,
    monitor: Checkpoints | None,
    saved: dict[str, Any] | None,
    resume_from: Path | None,
) -> None:
    """Takes the files of the run folder back to where the checkpoint was written, or to nothing."""
    (run_dir / "result.json").unlink(missing_ok=True)
    states = saved[KEY]["loggers"] if saved else {}
    for logger in trainer.loggers:
        if hasattr(logger, "load_state_dict"):
            logger.load_state_dict(states.get(type(logger).__name__, {}), saved["global_step"] if saved else 0)
    if monitor and saved and resume_from:
        state = saved["callbacks"][monitor.state_key]
        if state["best_step"] == saved["global_step"] and resume_from != monitor.best:
            copy(resume_from, monitor.best)  # the process may have ended between the two


def explain(
    error: Exception, cfg: DictConfig, trainer: lightning.Trainer, monitor: Checkpoints | None, stop: StopOnSignal
) -> tuple[str, Exception]:
    """The status of a run that ended with `error`, and the error in words for a user where the cause is known."""
    if isinstance(error, SIGTERMException):  # Lightning's, in the moment before our handlers are in place
        error = Interrupted(signal.SIGTERM)
    if isinstance(error, Interrupted):
        return "interrupted", RunFailed(str(error), 128 + error.signum)
    if isinstance(error, NonFiniteLoss):
        return "failed", RunFailed(_hint(error, cfg, monitor))
    if isinstance(error, torch.OutOfMemoryError):
        size = cfg.data.batch_size
        return "failed", RunFailed(
            f"out of memory on {device_name(trainer)} with data.batch_size={size}: "
            f"try data.batch_size={max(1, size // 2)} or trainer.precision=bf16-mixed"
        )
    text = config.one_line(error)
    if isinstance(error, WorkerFailed) or text.startswith("DataLoader worker"):  # which torch may raise anywhere
        return "failed", RunFailed(f"a data worker died or hung ({text}); data.num_workers=0 does without them")
    return "failed", error


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
    check_loss(loss, data)
    optimization = (loss, build(cfg, "optimizer"), build(cfg, "scheduler"))
    module: Supervised
    if data.task == "regression":
        module = Regression(network, data.target_shape, *optimization)
    else:
        try:
            module = Classification(network, data.num_classes, *optimization, top5=cfg.top5)
        except ValueError as error:
            raise ConfigError(f"top5=true: data={config.choice('data')} {config.one_line(error)}") from error
    check_optimization(cfg, module)
    names = module.metric_names if data.val_size else [n for n in module.metric_names if n.startswith("train/")]
    if cfg.objective not in names:
        raise ConfigError(f"objective={cfg.objective} is not logged; what is: {', '.join(names)}")
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
    try:
        if module.make_schedulers:
            module.make_schedulers(optimizer, 1, cfg.trainer.max_epochs or 1)
    except (ValueError, TypeError) as error:
        raise blame(cfg, "scheduler", error) from error


def check_loss(loss: torch.nn.Module, data: DataModule) -> None:
    """Computes the loss of one batch.

    Raises:
        ConfigError: if it is one for another task, or refuses the shapes.
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
    except (RuntimeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        message = config.one_line(error)
        raise ConfigError(
            f"loss.{message}" if message.startswith("class_weights") else f"{given}: {message}"
        ) from error


def summarize(cfg: DictConfig) -> None:
    """Prints the layers of the configured network, for the configured data, without training it.

    Raises:
        ConfigError: as `assemble` does.
    """
    console.quieten()
    data, module = assemble(cfg)
    console.say(f"{data.name}: {' x '.join(map(str, data.input_shape))}")
    console.say(summary_table(module.network, data.input_shape, max_depth=3))


def check_network(network: torch.nn.Module, data: DataModule) -> None:
    """Passes one batch through.

    Raises:
        ConfigError: naming the shapes, if it does not come out as logits [B, num_classes].
    """
    model, source = f"model={config.choice('model')}", f"data={config.choice('data')}"
    batch = torch.zeros(2, *data.input_shape)
    was_training = network.training
    try:
        with torch.no_grad():
            logits = network.eval()(batch)
    except (RuntimeError, ValueError) as error:
        shape = list(batch.shape)
        raise ConfigError(f"{model} cannot take {source}: images {shape} fail, {config.one_line(error)}") from error
    finally:
        network.train(was_training)
    if tuple(logits.shape) != (2, data.num_classes):
        raise ConfigError(
            f"{model} makes {list(logits.shape)} of images {list(batch.shape)}, "
            f"but {source} needs [2, {data.num_classes}]"
        )


def checkpoints(cfg: DictConfig, data: DataModule, module: Supervised, run_dir: Path) -> Checkpoints | None:
    """The callback that keeps the best and the last checkpoint, unless switched off."""
    if not cfg.callbacks or not OmegaConf.select(cfg, "callbacks.checkpoints.enabled", default=False):
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
            "precision": str(cfg.trainer.precision or "32-true"),
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


def objective_mode(cfg: DictConfig) -> Any:
    """`min` or `max`: as configured, else by the objective's name."""
    if cfg.objective_mode not in (None, "min", "max"):
        raise ConfigError(f"objective_mode={cfg.objective_mode}: must be min, max or null")
    falls = ("loss", "mae", "mse", "error")
    return cfg.objective_mode or ("min" if cfg.objective.rpartition("/")[2] in falls else "max")


def make_trainer(cfg: DictConfig, run_dir: Path, callbacks: list[Callback]) -> lightning.Trainer:
    """The Trainer, with the configured callbacks and loggers beside those given."""
    loggers = [_configured(cfg, "logger", name, run_dir) for name in cfg.logger or ()]
    chosen = [
        _configured(cfg, "callbacks", name, run_dir)
        for name, node in (cfg.callbacks or {}).items()
        if node and node.get("_target_") and node.get("enabled", True)
    ]
    if not loggers:  # it refuses to run without one
        chosen = [c for c in chosen if not isinstance(c, lightning.pytorch.callbacks.LearningRateMonitor)]
    arguments = {
        "callbacks": [*chosen, *callbacks],
        "logger": loggers,
        "plugins": [PlainCheckpointIO()],
        "default_root_dir": str(run_dir),
        "use_distributed_sampler": False,  # litlab's own sampler deals the batches
        "enable_checkpointing": any(isinstance(c, Checkpoints) for c in callbacks),
        "enable_model_summary": False,
        "enable_progress_bar": any(isinstance(c, lightning.pytorch.callbacks.ProgressBar) for c in chosen),
    }
    if cfg.trainer.strategy == "ddp":
        # Buffers are what rank 0 has, and are sent before each evaluation, not before each step: ranks may then
        # evaluate different numbers of batches.
        arguments["strategy"] = lightning.pytorch.strategies.DDPStrategy(broadcast_buffers=False)
    trainer: lightning.Trainer = build(cfg, "trainer", **arguments)
    return trainer


def device_name(trainer: lightning.Trainer) -> str:
    """What the run is trained on, in words."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return name if trainer.world_size == 1 else f"{trainer.world_size} x {name}"


def describe(
    cfg: DictConfig,
    run_dir: Path,
    status: str,
    metrics: dict[str, float],
    monitor: Checkpoints | None,
    trainer: lightning.Trainer,
    data: DataModule,
    overrides: list[str],
) -> dict[str, Any]:
    """What `result.json` says of a run, but for its times."""

    def saved(path: Path) -> str | None:
        return str(path.relative_to(run_dir)) if path.exists() else None

    best = monitor.best_score if monitor else None
    return {
        "status": status,
        "metrics": metrics,
        "objective": {"name": cfg.objective, "mode": cfg.objective_mode, "value": best} if best is not None else None,
        "best_checkpoint": saved(monitor.best) if monitor else None,
        "last_checkpoint": saved(monitor.last) if monitor else None,
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "dataset": {"name": data.name, **data.sizes},
        "overrides": overrides,
        "config": numeric_config(cfg),
        "versions": {
            "litlab": litlab.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "lightning": lightning.__version__,
        },
    }


def report(result: dict[str, Any], run_dir: Path, takes_pictures: bool) -> None:
    """Closes a run on the terminal: the test metrics, where everything is, and what to type next."""
    folder = _shown(run_dir)
    tested = {k: v for k, v in result["metrics"].items() if k.startswith("test/")}
    if tested:
        table = Table(box=SIMPLE_HEAD)
        table.add_column("best checkpoint, test set")
        table.add_column("", justify="right")
        for name, value in tested.items():
            table.add_row(name, f"{value:.4f}")
        console.say(table)
    console.say(
        f"{result['status']} after {result['epochs']} epoch{'s' * (result['epochs'] != 1)}, {result['seconds']:.0f} s, "
        f"{result['images_per_second']:,.0f} images/s"
    )
    if config.in_sweep():
        return
    console.say(f"run folder    {folder}")
    if any(run_dir.glob("events.out.tfevents.*")):
        console.say(f"curves        tensorboard --logdir {folder}")
    if result["best_checkpoint"] and takes_pictures:
        console.say(f"use it        python predict.py ckpt={folder} input=IMAGE")


def _shown(run_dir: Path) -> Path:
    """A run folder as a user would type it."""
    return run_dir.relative_to(Path.cwd()) if run_dir.is_relative_to(Path.cwd()) else run_dir


def _new_run_dir() -> Path:
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    for path in (run_dir / ".hydra/hydra.yaml", run_dir.parent / "multirun.yaml"):
        _forget_where(path)
    return run_dir


def _forget_where(path: Path) -> None:
    """Takes the absolute paths out of what Hydra recorded, so that a run folder can be moved or given away."""
    if not path.exists():
        return
    recorded: Any = OmegaConf.load(path)
    runtime = recorded.hydra.runtime
    if runtime.cwd == ".":
        return
    runtime.cwd, runtime.output_dir = ".", "."
    for source in runtime.config_sources:
        if source.schema == "file":
            source.path = Path(source.path).name
    with atomic(path) as temporary:
        OmegaConf.save(recorded, temporary)


def _configured(cfg: DictConfig, group: str, name: str, run_dir: Path) -> Any:
    node = OmegaConf.to_container(cfg[group][name], resolve=True)
    assert isinstance(node, dict)
    node.pop("enabled", None)
    if "save_dir" in node and node["save_dir"] is None:
        node["save_dir"] = str(run_dir)
    return build(OmegaConf.create({group: node}), group)


def _hint(error: NonFiniteLoss, cfg: DictConfig, monitor: Checkpoints | None) -> str:
    kept = f"; the last good checkpoint is checkpoints/{monitor.last.name}" if monitor and monitor.last.exists() else ""
    return f"{error}: try a lower optimizer.lr (it is {cfg.optimizer.lr}) or trainer.gradient_clip_val=1{kept}"


def _remove_if_unused(run_dir: Path) -> None:
    """Removes what Hydra wrote for a run that never began, and the folders above if that leaves them empty."""
    if {path.name for path in run_dir.iterdir()} <= {".hydra", "train.log"}:
        shutil.rmtree(run_dir)
        for parent in list(run_dir.parents)[:2]:
            if parent == Path.cwd() or any(parent.iterdir()):
                break
            parent.rmdir()
