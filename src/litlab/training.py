"""One training run, from a composed config to a folder with a trained network and a `result.json`."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning
import torch
import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from litlab import batch_size, config, console, jobs, launch, lean, ranks, resume, sweeps, weights
from litlab import report as pages
from litlab.assembly import assemble, checkpoints, make_trainer, plain_config, precision, prepare_data, summarize
from litlab.callbacks import (
    Checkpoints,
    Diagnosis,
    EvaluationOutputs,
    ExactResume,
    Interrupted,
    KeepMemory,
    Prune,
    RunFolder,
    StopOnSignal,
    Throughput,
    epoch_metrics,
)
from litlab.callbacks.exact import KEY, learning_rate
from litlab.callbacks.find import find
from litlab.callbacks.interrupt import interruption
from litlab.checkpoint import atomic, copy, read
from litlab.cli import Diverged, RunFailed
from litlab.config import CONFIG, RESULT, ConfigError
from litlab.data import DataModule
from litlab.data.datasets import OtherBatches
from litlab.modules import NonFiniteLoss, Supervised
from litlab.optuna_sweeper import hopeless_by_median
from litlab.results import describe, device_name, explain, report, shown, write_failed, write_result
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
    if config.in_sweep():
        jobs.end_with_sweep()
    lock = jobs.hold(run_dir) if config.in_sweep() else resume.hold(run_dir)
    try:
        return _run(cfg, run_dir, resumed)
    finally:
        os.close(lock)


def _run(cfg: DictConfig, run_dir: Path, resumed: Resumed | None) -> float | None:
    automatic = batch_size.is_auto(cfg)
    if automatic and config.in_sweep() and (earlier := jobs.earlier_batch_size(run_dir)):
        cfg.data.batch_size, automatic = earlier, False
    if config.in_sweep() and (result := jobs.finished(cfg, run_dir)):
        console.say(f"{run_dir.name}: finished before, not run again")
        return _objective(result)
    checkpoint = jobs.unfinished(cfg, run_dir) if config.in_sweep() else None
    overrides = resumed.overrides if resumed else list(HydraConfig.get().overrides.task)
    if config.in_sweep() and sweeps.has_begun(run_dir):
        resume.record(run_dir, cfg, overrides)  # which Hydra has left as it was
    try:
        config.check(cfg)
        if cfg.get("summary"):
            cfg.data.batch_size = 1 if automatic else cfg.data.batch_size
            summarize(cfg)
            remove_if_unused(run_dir)
            return None
        if automatic:
            choose_batch_size(cfg)
            if not resumed and (run_dir / CONFIG).exists():  # what is resumed is recorded when it goes on
                resume.record(run_dir, cfg, overrides)
        if resumed:
            _go_on(cfg, resumed)
        else:
            jobs.share_machine(cfg, HydraConfig.get())
            _train(cfg, run_dir, overrides, checkpoint)
    except ConfigError as error:
        if config.in_sweep():  # a row of the sweep's table
            write_failed(run_dir, str(error))
        elif not resumed:
            remove_if_unused(run_dir)
        raise
    except Exception as error:
        stopped = getattr(error, "status", 1) > 128
        if config.in_sweep() and not stopped and not (run_dir / RESULT).exists():  # a row of the table, likewise
            write_failed(run_dir, console.one_line(error))
        raise
    return _objective(json.loads((run_dir / RESULT).read_text()))


def _objective(result: dict[str, Any]) -> float | None:
    return result["objective"]["value"] if result["objective"] else None


def choose_batch_size(cfg: DictConfig) -> None:
    """Replaces `data.batch_size=auto` by what fits.

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
    while True:
        try:
            return _start(cfg, run_dir, overrides, checkpoint)
        except Diverged as error:
            reason = str(error)
        checkpoint = resume.good_checkpoint(run_dir, before=cfg.get("rewound_to"))
        if checkpoint:  # from which the NaN may come back: recorded, for a run that is killed before that
            OmegaConf.update(cfg, "rewound_to", read(checkpoint)["global_step"], force_add=True)
        cfg.rewinds = cfg.get("rewinds", 0) + 1
        if (run_dir / CONFIG).exists():
            resume.record(run_dir, cfg, overrides)
        place = f"back to {checkpoint.name}" if checkpoint else "back to the beginning, nothing was saved yet,"
        lr = learning_rate(cfg)
        console.warn(f"{reason}: {place} with half the learning rate, {lr:g} (rewind {cfg.rewinds} of {REWINDS})")


def _start(cfg: DictConfig, run_dir: Path, overrides: list[str], checkpoint: Path | None) -> None:
    count = launch.ranks_wanted(cfg.trainer)
    if count > 1 and not ranks.is_rank():
        launch.start_ranks(run_dir, count, checkpoint=checkpoint, grace_s=cfg.get("preempt_grace_s", 20))
        return
    if checkpoint and ranks.is_rank() and cfg.trainer.precision == "auto":  # other hosts have no checkpoint to ask
        cfg.trainer.precision = read(checkpoint)["litlab"]["numerics"]["precision"]
    ranks.tell(**launch.message("train", cfg, run_dir, overrides, checkpoint))
    with ranks.Pulse():
        train(cfg, run_dir, overrides, checkpoint)


@dataclass
class Parts:
    """What a run is made of."""

    data: DataModule
    module: Supervised
    trainer: lightning.Trainer
    monitor: Checkpoints | None
    throughput: Throughput
    exact: ExactResume
    stop: StopOnSignal
    prune: Prune | None

    @property
    def diagnosis(self) -> Diagnosis | None:
        return find(self.trainer, Diagnosis)


@dataclass
class Outcome:
    """What came of a run."""

    status: str = "completed"
    metrics: dict[str, float] = field(default_factory=dict)
    images_per_second: float = 0.0
    sentences: list[str] | None = None  # of the verdict
    answers: pages.Answers | None = None  # of the network, for the page
    failure: Exception | None = None


def train(cfg: DictConfig, run_dir: Path, overrides: list[str], resume_from: Path | None = None) -> None:
    """Trains in this process, which may be one of several, and writes `result.json` from rank 0.

    Args:
        resume_from: the checkpoint to go on from.

    Raises:
        ConfigError, RunFailed: as `run` does.
    """
    console.quieten()
    if cfg.get("threads"):
        torch.set_num_threads(cfg.threads)
    saved = read(resume_from) if resume_from and resume_from.exists() else None  # other hosts may not have it
    if saved:
        check_resumable(cfg, saved)
    parts = build_parts(cfg, run_dir, saved)
    prepare_data(cfg, parts.data)
    if saved:
        check_batches(parts, saved)
    else:
        weights.look_at_data(cfg, parts.module.network, parts.data)
    announce(cfg, parts)
    if parts.trainer.is_global_zero:
        start_files(parts.trainer, run_dir, parts.monitor, saved, resume_from)
    del saved
    drawn = bool(OmegaConf.select(cfg, "callbacks.report.enabled", default=False))
    drawn &= not config.in_sweep() or bool(OmegaConf.select(cfg, "callbacks.report.in_sweeps", default=False))
    outcome = fit_and_test(cfg, parts, resume_from, drawn)
    parts.stop.done()
    if parts.trainer.is_global_zero:
        write_down(cfg, run_dir, overrides, parts, outcome, drawn)
    if outcome.failure:
        raise outcome.failure


def build_parts(cfg: DictConfig, run_dir: Path, saved: dict[str, Any] | None) -> Parts:
    """Builds everything; what is open in the config is settled in it.

    Raises:
        ConfigError: if something is refused, or does not fit.
    """
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
    always = [
        EvaluationOutputs(),
        KeepMemory(),
        RunFolder(run_dir),
        exact,
        *filter(None, (prune, monitor)),
        throughput,
        stop,
    ]
    trainer = make_trainer(cfg, run_dir, always, module.network)
    lean.leave_out_empty_hooks([module])
    if data.batch_size % trainer.world_size:
        raise ConfigError(
            f"data.batch_size={data.batch_size}: must be a multiple of the {trainer.world_size} processes that share it"
        )
    if cfg.model.get("compile"):
        if cfg.trainer.strategy == "fsdp":
            raise ConfigError("model.compile=true: not with trainer=fsdp")
        module.compile_training(data.batch_size // trainer.world_size)
    return Parts(data, module, trainer, monitor, throughput, exact, stop, prune)


def announce(cfg: DictConfig, parts: Parts) -> None:
    """The first line of a run: data, network, device, precision."""
    data = parts.data
    kind = "images" if len(data.input_shape) == 3 else "points"
    console.say(
        f"{data.name}: {' / '.join(f'{size:,}' for size in data.sizes.values())} {kind}  |  "
        f"{type(parts.module.network).__name__}  |  {device_name(parts.trainer)}, {cfg.trainer.precision}"
    )


def fit_and_test(cfg: DictConfig, parts: Parts, resume_from: Path | None, drawn: bool) -> Outcome:
    """Trains, judges, and measures the best checkpoint on the test set.

    Args:
        drawn: whether a page will be drawn of the run.

    Raises:
        Diverged: if the loss became NaN and the run shall go back.
    """
    data, module, trainer, monitor, diagnosis = parts.data, parts.module, parts.trainer, parts.monitor, parts.diagnosis
    outcome = Outcome()
    try:
        with parts.stop:
            trainer.fit(module, datamodule=data, ckpt_path=str(resume_from) if resume_from else None)
            # Before the test, which restores the best checkpoint, and with it its callbacks.
            outcome.images_per_second = parts.throughput.images_per_second
            outcome.sentences = diagnosis.conclude(trainer, module) if diagnosis else []
            best_known = monitor.best_metrics if monitor else {}
            outcome.metrics = dict(best_known) or epoch_metrics(trainer)
            if parts.prune and parts.prune.pruned:
                outcome.status = "pruned"
            if is_to_be_tested(cfg, parts, outcome):
                best = str(monitor.best) if monitor and monitor.best_step is not None else None
                trainer.test(module, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
                outcome.metrics |= epoch_metrics(trainer)
            if trainer.strategy.broadcast(drawn):  # of torchrun's processes only rank 0 knows that it is in a sweep
                outcome.answers = pages.answers(trainer, module, data, split_measured(outcome.metrics))
        if unsaved := not_saved(parts):
            outcome.status, outcome.failure = "failed", RunFailed(f"not saved: {'; '.join(unsaved)}")
    except (Exception, Interrupted) as raised:
        error = interruption(raised) or raised
        if isinstance(error, NonFiniteLoss) and monitor and may_rewind(cfg):
            parts.stop.done()
            raise Diverged(str(error)) from None
        if diagnosis and outcome.sentences is None and isinstance(error, NonFiniteLoss | Interrupted):
            outcome.sentences = diagnosis.conclude(trainer, module, error)
        outcome.status, outcome.failure = explain(error, cfg, trainer, monitor, parts.stop)
        if drawn and trainer.world_size == 1 and isinstance(outcome.failure, RunFailed):
            outcome.answers = pages.answers(trainer, module, data, split_measured(outcome.metrics))
    return outcome


def not_saved(parts: Parts) -> list[str]:
    """What of the run could not be written to the end, and why; on rank 0."""
    found = list(parts.monitor.unsaved.values()) if parts.monitor else []
    for logger in parts.trainer.loggers:
        logger.save()
        unsaved = getattr(logger, "unsaved", None)
        found += [unsaved] if isinstance(unsaved, str) else []  # the logger of fast_dev_run has whatever one asks for
    return found


def is_to_be_tested(cfg: DictConfig, parts: Parts, outcome: Outcome) -> bool:
    """Whether there is a test set and something to test; the same on all ranks."""
    lost = bool(parts.monitor and "best.ckpt" in parts.monitor.unsaved)  # which rank 0 alone knows
    wanted = cfg.test and outcome.status != "pruned" and "test" in parts.data.sizes
    return bool(wanted and not parts.trainer.strategy.reduce_boolean_decision(lost, all=False))


def may_rewind(cfg: DictConfig) -> bool:
    """Whether a loss that became NaN takes the run back once more."""
    return cfg.get("on_nan") == "rewind" and cfg.get("rewinds", 0) < REWINDS


def write_down(
    cfg: DictConfig, run_dir: Path, overrides: list[str], parts: Parts, outcome: Outcome, drawn: bool
) -> None:
    """Writes `result.json` and the page, and closes the run on the terminal."""
    data, trainer, failure = parts.data, parts.trainer, outcome.failure
    result = describe(cfg, run_dir, outcome.status, outcome.metrics, parts.monitor, trainer, data, overrides)
    result |= {
        "seconds": round(parts.exact.seconds, 3),
        "images_per_second": round(outcome.images_per_second or parts.throughput.images_per_second, 1),
        "diagnosis": outcome.sentences or [],
    }
    if failure:
        expected = isinstance(failure, RunFailed)
        result["error"] = str(failure) if expected else f"{type(failure).__name__}: {failure}"
    if drawn:
        result["report"] = None
    unsaved = save_result(run_dir, result)  # before the page: who stops the drawing keeps the result
    try:
        if drawn:
            page = pages.page(cfg, result, trainer, parts.module, data, outcome.answers, device_name(trainer))
            if pages.written(page, run_dir):
                result["report"] = pages.FILES[0]
                unsaved = save_result(run_dir, result)
    finally:
        report(result, run_dir, takes_pictures=len(data.input_shape) == 3)
    outcome.failure = failure or unsaved


def save_result(run_dir: Path, result: dict[str, Any]) -> RunFailed | None:
    """Writes `result.json`, or returns why that could not be done."""
    try:
        write_result(run_dir, result)
    except OSError as error:
        return RunFailed(f"result.json could not be saved: {error.strerror}")
    return None


def split_measured(metrics: dict[str, float]) -> str:
    """Which split the network has seen last."""
    return "test" if any(name.startswith("test/") for name in metrics) else "val"


FIXED = ("model", "data._target_", "data.seed", "data.val_size", "optimizer._target_")


def check_resumable(cfg: DictConfig, saved: dict[str, Any]) -> None:
    """Refuses what would make a resumed run another run; settles what the run had settled.

    Raises:
        ConfigError: naming the setting.
    """
    before = OmegaConf.create(saved["litlab"]["config"])
    assert isinstance(before, DictConfig)
    config.settle(cfg, before)
    now = OmegaConf.create(plain_config(cfg))
    for key in FIXED:
        if OmegaConf.select(before, key) != OmegaConf.select(now, key):
            name = key.removesuffix("._target_")
            raise ConfigError(f"{name} cannot change in a run that is resumed: start a new run")
    done, epochs = saved["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"], cfg.trainer.max_epochs
    if epochs not in (None, -1) and done > epochs:
        raise ConfigError(f"trainer.max_epochs={epochs}: the checkpoint is at the end of epoch {done} already")


def check_batches(parts: Parts, saved: dict[str, Any]) -> None:
    """Refuses to go on in the middle of an epoch over other batches, before anything of the run is touched.

    Raises:
        ConfigError: naming the setting.
    """
    fit_loop = saved["loops"]["fit_loop"]
    epoch, loaders = fit_loop["epoch_progress"]["current"], fit_loop["state_dict"].get("combined_loader")
    if not loaders or epoch["processed"] == epoch["started"]:
        return
    parts.data.trainer = parts.trainer  # as `fit` will: the batches depend on it
    try:
        parts.data.train_dataloader().check_same(loaders[0])  # type: ignore[attr-defined]
    except OtherBatches as error:
        raise ConfigError(f"data.{error}") from None


def start_files(
    trainer: lightning.Trainer,
    run_dir: Path,
    monitor: Checkpoints | None,
    saved: dict[str, Any] | None,
    resume_from: Path | None,
) -> None:
    """Takes the files of the run folder back to where the checkpoint was written, or to nothing."""
    if not saved:  # first of all: whatever ends this, nobody goes on from, or back to, what another run has saved
        for name in (*resume.CHECKPOINTS, resume.BEST):
            (run_dir / name).unlink(missing_ok=True)
    (run_dir / RESULT).unlink(missing_ok=True)
    if monitor and resume_from and resume_from != monitor.last:  # before anything is cut back to it
        copy(resume_from, monitor.last)
    for left in run_dir.glob(f"checkpoints/.*.ckpt.{'[!.]' * 8}"):  # by a process that was killed while it saved
        left.unlink()
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
