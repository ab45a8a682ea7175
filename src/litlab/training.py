"""One training run, from a composed config to a folder with a trained network and a `result.json`."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import lightning
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from litlab import config, console, launch, lean, resume, weights
from litlab.assembly import assemble, checkpoints, make_trainer, objective_mode, plain_config, precision, summarize
from litlab.callbacks import (
    Checkpoints,
    EvaluationOutputs,
    ExactResume,
    StopOnSignal,
    Throughput,
    epoch_metrics,
)
from litlab.callbacks.exact import KEY
from litlab.checkpoint import atomic, copy, read
from litlab.cli import RunFailed
from litlab.config import RESULT, ConfigError, blame
from litlab.data import SourcesFailedError
from litlab.data.datasets import OtherBatches
from litlab.results import describe, device_name, explain, report, shown, write_result
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
    checkpoint = unfinished(cfg, run_dir) if config.in_sweep() else None
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
            _train(cfg, run_dir, list(HydraConfig.get().overrides.task), checkpoint)
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
    console.say(f"resuming {shown(folder)} from {place}")
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
    if cfg.threads or jobs > 1:
        torch.set_num_threads(cfg.threads or max(1, cores // jobs))
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
    saved = read(resume_from) if resume_from else None
    if saved:
        check_resumable(cfg, saved)
    cfg.objective_mode = objective_mode(cfg)
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)
    data, module = assemble(cfg)
    cfg.trainer.precision = precision(cfg, data, saved)
    if not saved:
        weights.load(cfg, module.network)
    monitor = checkpoints(cfg, data, module, run_dir)
    throughput = Throughput()
    exact = ExactResume(plain_config(cfg))
    stop = StopOnSignal(monitor, cfg.get("preempt_grace_s", 20))
    always = [EvaluationOutputs(), exact, *filter(None, (monitor,)), throughput, stop]
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


def _remove_if_unused(run_dir: Path) -> None:
    """Removes what Hydra wrote for a run that never began, and the folders above if that leaves them empty."""
    if {path.name for path in run_dir.iterdir()} <= {".hydra", "train.log"}:
        shutil.rmtree(run_dir)
        for parent in list(run_dir.parents)[:2]:
            if parent == Path.cwd() or any(parent.iterdir()):
                break
            parent.rmdir()
