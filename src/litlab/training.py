"""One training run, from a composed config to a folder with a trained network and a `result.json`."""

import json
import os
from pathlib import Path
from typing import Any

import lightning
import torch
import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from litlab import batch_size, config, console, launch, lean, ranks, resume, weights
from litlab import report as pages
from litlab.assembly import assemble, checkpoints, make_trainer, plain_config, precision, summarize
from litlab.callbacks import (
    Checkpoints,
    Diagnosis,
    EvaluationOutputs,
    ExactResume,
    Interrupted,
    Prune,
    StopOnSignal,
    Throughput,
    epoch_metrics,
)
from litlab.callbacks.exact import KEY, learning_rate
from litlab.checkpoint import atomic, copy, read
from litlab.cli import Diverged, RunFailed
from litlab.config import CONFIG, RESULT, ConfigError, blame
from litlab.data import SourcesFailedError
from litlab.data.datasets import OtherBatches
from litlab.modules import NonFiniteLoss
from litlab.optuna_sweeper import hopeless_by_median
from litlab.results import describe, device_name, explain, report, shown, write_result
from litlab.resume import Resumed
from litlab.runs import remove_if_unused

REWINDS = 3  # times that a run may go back after a NaN


def run(cfg: DictConfig, resumed: Resumed | None = None) -> float | None:
    """Trains as `cfg` says, in one process or several; returns the best value of the objective.

    A new run takes place in Hydra's run folder, a resumed one in its own.

    Raises:
        ConfigError: for a wrong setting, before anything was trained; the run folder is then removed again, or
            left as it was.
        RunFailed: if training began and could not be finished.
    """
    run_dir = resumed.folder if resumed else _new_run_dir()
    automatic = batch_size.is_auto(cfg)
    if automatic and config.in_sweep() and (earlier := earlier_batch_size(run_dir)):
        cfg.data.batch_size, automatic = earlier, False
    if config.in_sweep() and (result := finished(cfg, run_dir)):
        console.say(f"{run_dir.name}: finished before, not run again")
        return _objective(result)
    checkpoint = unfinished(cfg, run_dir) if config.in_sweep() else None
    lock = resume.hold(run_dir)
    try:
        config.check(cfg)
        if cfg.get("summary"):
            cfg.data.batch_size = 1 if automatic else cfg.data.batch_size
            summarize(cfg)
            remove_if_unused(run_dir)
            return None
        overrides = resumed.overrides if resumed else list(HydraConfig.get().overrides.task)
        if automatic:
            choose_batch_size(cfg, run_dir, overrides)
        if resumed:
            _go_on(cfg, resumed)
        else:
            share_machine(cfg, HydraConfig.get())
            _train(cfg, run_dir, overrides, checkpoint)
    except ConfigError as error:
        if config.in_sweep():  # a row of the sweep's table
            write_result(run_dir, {"status": "failed", "metrics": {}, "error": str(error)})
        elif not resumed:
            remove_if_unused(run_dir)
        raise
    finally:
        os.close(lock)
    return _objective(json.loads((run_dir / RESULT).read_text()))


def _objective(result: dict[str, Any]) -> float | None:
    return result["objective"]["value"] if result["objective"] else None


def choose_batch_size(cfg: DictConfig, run_dir: Path, overrides: list[str]) -> None:
    """Replaces `data.batch_size=auto` by what fits, in the config and in the run's record of it.

    Raises:
        ConfigError: if nothing fits, or the run cannot be built.
    """
    processes = launch.ranks_wanted(cfg.trainer) * (ranks.world_size() // ranks.local_size())
    try:
        cfg.data.batch_size = batch_size.find(cfg, processes)
    except ConfigError:
        cfg.data.batch_size = processes
        assemble(cfg)  # says it better, if it is about the config: the options are known here
        raise
    if (run_dir / CONFIG).exists():
        resume.record(run_dir, cfg, overrides)


def earlier_batch_size(run_dir: Path) -> int | None:
    """What `data.batch_size=auto` was for this job in an earlier start of the same sweep."""
    path = run_dir / RESULT
    if path.exists() and (recorded := json.loads(path.read_text()).get("config")):
        return int(recorded["data.batch_size"])
    if checkpoint := resume.whole_checkpoint(run_dir, None):
        return int(read(checkpoint)["litlab"]["config"]["data"]["batch_size"])
    return None


def _go_on(cfg: DictConfig, resumed: Resumed) -> None:
    folder = resumed.folder
    checkpoint = resume.whole_checkpoint(folder, resumed.checkpoint)
    put_back = resume.record(folder, cfg, resumed.overrides)
    launch.log_to(folder)
    place = checkpoint.name if checkpoint else "its beginning: nothing was saved yet"
    console.say(f"resuming {shown(folder)} from {place}")
    try:
        _train(cfg, folder, resumed.overrides, checkpoint)
    except ConfigError:
        put_back()
        raise


def _train(cfg: DictConfig, run_dir: Path, overrides: list[str], checkpoint: Path | None = None) -> None:
    """Trains, and goes back as often as `on_nan=rewind` allows.

    Going back is a resume with half the learning rate, in new processes where there are several: those that have not
    met the NaN wait for the one that has.
    """
    if cfg.get("on_nan") == "rewind" and ranks.world_size() > 1:
        raise ConfigError("on_nan=rewind: not under torchrun or srun, whose processes litlab cannot start again")
    poisoned: int | None = None  # the step of a checkpoint from which the NaN came back
    while True:
        try:
            return _start(cfg, run_dir, overrides, checkpoint)
        except Diverged as error:
            reason = str(error)
        checkpoint = resume.good_checkpoint(run_dir, before=poisoned)
        if checkpoint:
            poisoned = read(checkpoint)["global_step"]
        cfg.rewinds = cfg.get("rewinds", 0) + 1
        if (run_dir / CONFIG).exists():
            resume.record(run_dir, cfg, overrides)
        place = f"back to {checkpoint.name}" if checkpoint else "back to the beginning, nothing was saved yet,"
        lr = learning_rate(cfg)
        console.warn(f"{reason}: {place} with half the learning rate, {lr:g} (rewind {cfg.rewinds} of {REWINDS})")


def _start(cfg: DictConfig, run_dir: Path, overrides: list[str], checkpoint: Path | None) -> None:
    count = launch.ranks_wanted(cfg.trainer)
    if count > 1 and not ranks.is_rank():
        launch.start_ranks(run_dir, count, checkpoint=checkpoint)
        return
    if checkpoint and ranks.is_rank() and cfg.trainer.precision == "auto":  # other hosts have no checkpoint to ask
        cfg.trainer.precision = read(checkpoint)["litlab"]["numerics"]["precision"]
    ranks.tell(**launch.message("train", cfg, run_dir, overrides, checkpoint))
    with ranks.Pulse():
        train(cfg, run_dir, overrides, checkpoint)


def finished(cfg: DictConfig, run_dir: Path) -> dict[str, Any] | None:
    """The result of a job that an earlier start of the same sweep has completed, or pruned.

    Raises:
        ConfigError: if it was trained with another config, naming the first difference.
    """
    path = run_dir / RESULT
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"status": None}
    if result["status"] not in ("completed", "pruned"):
        return None
    _refuse_another_config(cfg, run_dir, result["config"])
    return result


def unfinished(cfg: DictConfig, run_dir: Path) -> Path | None:
    """The checkpoint from which a job goes on that was killed or interrupted in an earlier start of the same sweep.

    Raises:
        ConfigError: if it was trained with another config, naming the first difference.
    """
    path = run_dir / RESULT
    if path.exists() and json.loads(path.read_text())["status"] == "failed":
        return None  # it would fail again: from its beginning, in case what made it fail was mended
    checkpoint = resume.whole_checkpoint(run_dir, None)
    if checkpoint:
        before = OmegaConf.create(read(checkpoint)["litlab"]["config"])
        assert isinstance(before, DictConfig)
        _refuse_another_config(cfg, run_dir, config.numeric(before))
        console.say(f"{run_dir.name}: going on from {checkpoint.name}")
    return checkpoint


def _refuse_another_config(cfg: DictConfig, run_dir: Path, before: dict[str, Any]) -> None:
    for key, now in config.numeric(cfg).items():
        if before.get(key) != now and not (key in config.AUTO and now == "auto"):
            raise ConfigError(
                f"{run_dir.name} was trained with {key}={before.get(key)}, which is now {now}: "
                "use another hydra.sweep.dir"
            )


def share_machine(cfg: DictConfig, hydra: Any) -> None:
    """Gives this job its part of the CPU, and of the GPUs, when a launcher runs several jobs at once."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    jobs = OmegaConf.select(hydra, "launcher.n_jobs", default=1) or 1
    jobs = cores if jobs < 1 else jobs
    own = OmegaConf.select(hydra, "launcher.cpus_per_task") or max(1, cores // jobs)  # submitit's; or a share
    if cfg.threads or own < cores:
        torch.set_num_threads(cfg.threads or own)
    gpus = torch.cuda.device_count()
    if jobs > 1 and gpus > 1 and cfg.trainer.devices == 1 and cfg.trainer.accelerator != "cpu":
        cfg.trainer.devices = [hydra.job.num % gpus]


def train(cfg: DictConfig, run_dir: Path, overrides: list[str], resume_from: Path | None = None) -> None:
    """Trains in this process, which may be one of several, and writes `result.json` from rank 0.

    Args:
        resume_from: the checkpoint to go on from.

    Raises:
        ConfigError, RunFailed: as `run` does.
    """
    console.quieten()
    saved = read(resume_from) if resume_from and resume_from.exists() else None  # other hosts may not have it
    if saved:
        check_resumable(cfg, saved)
    cfg.objective_mode = config.objective_mode(cfg)
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)
    data, module = assemble(cfg)
    cfg.trainer.precision = precision(cfg, data, saved)
    if not saved:
        weights.load(cfg, module.network)
    monitor = checkpoints(cfg, data, module, run_dir)
    throughput = Throughput()
    exact = ExactResume(plain_config(cfg))
    stop = StopOnSignal(monitor, cfg.get("preempt_grace_s", 20))
    hopeless = hopeless_by_median(run_dir)
    prune = Prune(cfg.objective, hopeless) if hopeless or "RANK" in os.environ else None  # all ranks, or none
    always = [EvaluationOutputs(), exact, *filter(None, (monitor, prune)), throughput, stop]
    trainer = make_trainer(cfg, run_dir, always, module.network)
    lean.leave_out_empty_hooks([module])
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

    if not saved:
        weights.look_at_data(cfg, module.network, data)
    kind = "images" if len(data.input_shape) == 3 else "points"
    console.say(
        f"{data.name}: {' / '.join(f'{size:,}' for size in data.sizes.values())} {kind}  |  "
        f"{type(module.network).__name__}  |  {device_name(trainer)}, {cfg.trainer.precision}"
    )
    if trainer.is_global_zero:
        start_files(trainer, run_dir, monitor, saved, resume_from)
    del saved
    status, metrics, speed = "completed", {}, 0.0
    diagnosis = next((c for c in trainer.callbacks if isinstance(c, Diagnosis)), None)  # type: ignore[attr-defined]
    sentences: list[str] | None = None
    drawn = bool(OmegaConf.select(cfg, "callbacks.report.enabled", default=False))
    drawn &= not config.in_sweep() or bool(OmegaConf.select(cfg, "callbacks.report.in_sweeps", default=False))
    answers: pages.Answers | None = None
    failure: Exception | None = None
    try:
        with stop:
            trainer.fit(module, datamodule=data, ckpt_path=str(resume_from) if resume_from else None)
            speed = throughput.images_per_second  # the test restores the best checkpoint, and with it its callbacks
            sentences = diagnosis.conclude(trainer, module) if diagnosis else []  # before the test, likewise
            metrics = epoch_metrics(trainer)
            if monitor and monitor.best_metrics:
                metrics = dict(monitor.best_metrics)
            lost = bool(monitor and "best.ckpt" in monitor.unsaved)  # which rank 0 alone knows
            status = "pruned" if prune and prune.pruned else status
            tested = cfg.test and status != "pruned" and "test" in data.sizes
            if tested and not trainer.strategy.reduce_boolean_decision(lost, all=False):
                best = str(monitor.best) if monitor else None
                trainer.test(module, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
                metrics |= epoch_metrics(trainer)
            answers = pages.answers(trainer, module, data, split_measured(metrics)) if drawn else None
        if monitor and monitor.unsaved:
            status, failure = "failed", RunFailed(f"not saved: {'; '.join(monitor.unsaved.values())}")
    except OtherBatches as error:
        raise ConfigError(f"data.{error}") from error
    except Exception as error:
        if (
            isinstance(error, NonFiniteLoss)
            and monitor
            and cfg.get("on_nan") == "rewind"
            and cfg.get("rewinds", 0) < REWINDS
        ):
            stop.done()
            raise Diverged(str(error)) from None
        if diagnosis and sentences is None and isinstance(error, NonFiniteLoss | Interrupted):
            sentences = diagnosis.conclude(trainer, module, error)
        status, failure = explain(error, cfg, trainer, monitor, stop)
        if drawn and trainer.world_size == 1 and isinstance(failure, RunFailed):
            answers = pages.answers(trainer, module, data, split_measured(metrics))
    stop.done()
    if trainer.is_global_zero:
        result = describe(cfg, run_dir, status, metrics, monitor, trainer, data, overrides)
        result |= {
            "seconds": round(exact.seconds, 3),
            "images_per_second": round(speed or throughput.images_per_second, 1),
            "diagnosis": sentences or [],
        }
        if failure:
            expected = isinstance(failure, RunFailed)
            result["error"] = str(failure) if expected else f"{type(failure).__name__}: {failure}"
        if drawn:
            page = pages.page(cfg, result, trainer, module, data, answers, device_name(trainer))
            result["report"] = pages.FILES[0] if pages.written(page, run_dir) else None
        try:
            write_result(run_dir, result)
        except OSError as error:
            failure = failure or RunFailed(f"result.json could not be saved: {error.strerror}")
        report(result, run_dir, takes_pictures=len(data.input_shape) == 3)
    if failure:
        raise failure


def split_measured(metrics: dict[str, float]) -> str:
    """Which split the network has seen last."""
    return "test" if any(name.startswith("test/") for name in metrics) else "val"


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
    (run_dir / RESULT).unlink(missing_ok=True)
    states = saved[KEY]["loggers"] if saved else {}
    for logger in trainer.loggers:
        if hasattr(logger, "load_state_dict"):
            logger.load_state_dict(states.get(type(logger).__name__, {}), saved["global_step"] if saved else 0)
    if monitor and saved and resume_from:
        state = saved["callbacks"][monitor.state_key]
        if state["best_step"] == saved["global_step"] and resume_from != monitor.best:
            copy(resume_from, monitor.best)  # the process may have ended between the two


def _new_run_dir() -> Path:
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    for path in (run_dir / ".hydra/hydra.yaml", run_dir.parent / "multirun.yaml"):
        _forget_where(path)
    return run_dir


def _forget_where(path: Path) -> None:
    """Takes the absolute paths out of what Hydra recorded, so that a run folder can be moved or given away."""
    if not path.exists() or "\n    cwd: .\n" in (text := path.read_text()):
        return
    recorded = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # OmegaConf's takes ten times as long
    runtime = recorded["hydra"]["runtime"]
    runtime["cwd"] = runtime["output_dir"] = "."
    for source in runtime["config_sources"]:
        if source["schema"] == "file":
            source["path"] = Path(source["path"]).name
    with atomic(path) as temporary:
        temporary.write_text(
            yaml.dump(recorded, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, width=10_000)
        )
