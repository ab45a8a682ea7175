"""One training run, from a composed config to a folder with a trained network and a `result.json`.

run_training  what the script calls: the lock, what an earlier start has left, errors
start         in the user's process: what all processes of the run must agree on; once more after a NaN
train         in the process, or in each of them, that trains: `trainer.fit`, then the test
"""

import os
from typing import Any

import torch

from litlab import console, report
from litlab.callbacks import Diagnosis, callback_of, epoch_metrics, interruption, summary_table
from litlab.checkpoint import read, whole_checkpoint
from litlab.config import Run, check, record
from litlab.distributed import Heartbeat, is_rank, ranks_wanted, start_ranks, tell, world_size
from litlab.errors import ConfigError, Diverged, Interrupted, RunFailed, one_line
from litlab.files import shown
from litlab.modules import NonFiniteLoss
from litlab.runs import CONFIG, RESULT, hold, objective_value, read_result, remove_if_unused, write_failed
from litlab.training import jobs, weights
from litlab.training.build import Parts, assemble, build_parts, prepare_data, settle_before_start
from litlab.training.outcome import Outcome, device_name, explain, write_down
from litlab.training.resume import check_batches, settle_as_before, start_files
from litlab.training.rewind import may_rewind, rewound


def run_training(run: Run) -> float | None:
    """Trains, in one process or several; returns the best value of the objective.

    Raises:
        ConfigError: for a wrong setting, before anything was trained. The run folder is then removed again, or left as
            it was.
        RunFailed: if training began and could not be finished.
    """
    if run.job:
        jobs.end_with_sweep(run.job.launcher)
    lock = jobs.hold_job(run.folder) if run.job else hold(run.folder)
    try:
        if run.job:
            run, result = jobs.take_up(run)
            if result:
                console.say(f"{run.folder.name}: finished before, not run again")
                return objective_value(result)
        try:
            start(run)
        except ConfigError as error:
            if run.job:  # a row of the sweep's table
                write_failed(run.folder, str(error))
            elif not run.resumed:
                remove_if_unused(run.folder)
            raise
        except Exception as error:
            stopped = getattr(error, "status", 1) > 128
            if run.job and not stopped and not (run.folder / RESULT).exists():  # a row, likewise
                write_failed(run.folder, one_line(error))
            raise
        return objective_value(read_result(run.folder))
    finally:
        os.close(lock)


def start(run: Run) -> None:
    """Begins a run, or goes on with one."""
    check(run.cfg)
    if run.get("summary"):
        summarize(run)
        remove_if_unused(run.folder)
        return
    settled = settle_before_start(run)
    if not run.resumed:
        if settled is not run and (run.folder / CONFIG).exists():
            record(run.folder, settled.cfg, settled.overrides)
        if run.job:
            jobs.share_cores(run.job, run.cfg.threads)
        train_until_finite(settled)
        return
    checkpoint = whole_checkpoint(run.folder, run.checkpoint)
    put_back = record(run.folder, settled.cfg, settled.overrides)
    console.log_to(run.folder)
    place = checkpoint.name if checkpoint else "its beginning: nothing was saved yet"
    console.say(f"resuming {shown(run.folder)} from {place}")
    try:
        train_until_finite(settled.from_checkpoint(checkpoint))
    except ConfigError:
        put_back()
        raise


def train_until_finite(run: Run) -> None:
    """Trains, and goes back as often as `on_nan=rewind` allows.

    Going back is a resume with half the learning rate, in new processes where there are several: those that have not
    met the NaN wait for the one that has.
    """
    if run.get("on_nan") == "rewind" and world_size() > 1:
        raise ConfigError("on_nan=rewind: not under torchrun or srun, whose processes litlab cannot start again")
    while True:
        try:
            return train_in_processes(run)
        except Diverged as error:
            reason = str(error)
        run = rewound(run, reason)


def train_in_processes(run: Run) -> None:
    """Trains in this process, or in as many as `trainer.devices` asks for."""
    count = ranks_wanted(run.cfg.trainer)
    if count > 1 and not is_rank():
        start_ranks({"job": "train", "run": run.to_plain()}, count, run.get("preempt_grace_s", 20))
        return
    if run.checkpoint and is_rank() and run.cfg.trainer.precision == "auto":  # other hosts have no checkpoint to ask
        run = run.settled(**{"trainer.precision": read(run.checkpoint)["litlab"]["numerics"]["precision"]})
    tell("train", run=run.to_plain())
    with Heartbeat():
        train(run)


def train(run: Run) -> None:
    """Trains in this process, which may be one of several, and writes `result.json` from rank 0.

    Raises:
        ConfigError, RunFailed: as `run_training` does.
    """
    console.quieten()
    if run.get("threads"):
        torch.set_num_threads(run.cfg.threads)
    saved = read(run.checkpoint) if run.checkpoint and run.checkpoint.exists() else None  # other hosts may lack it
    parts = build_parts(settle_as_before(run, saved) if saved else run, saved)
    prepare_data(parts.run, parts.data)
    if saved:
        check_batches(parts, saved)
    else:
        weights.show_data(parts.run, parts.module.network, parts.data)
    announce(parts)
    if parts.trainer.is_global_zero:
        start_files(parts, saved)
    del saved
    drawn = bool(run.get("callbacks.report.enabled", False))
    drawn &= run.job is None or bool(run.get("callbacks.report.in_sweeps", False))
    outcome = fit_and_test(parts, drawn)
    parts.stop.done()
    if parts.trainer.is_global_zero:
        write_down(parts, outcome, drawn)
    if outcome.failure:
        raise outcome.failure


def fit_and_test(parts: Parts, drawn: bool) -> Outcome:
    """Trains, judges, and measures the best checkpoint on the test set.

    Args:
        drawn: whether a page will be drawn of the run.

    Raises:
        Diverged: if the loss became NaN and the run shall go back.
    """
    data, module, trainer, kept, outcome = parts.data, parts.module, parts.trainer, parts.checkpoints, Outcome()
    diagnosis = callback_of(trainer, Diagnosis)
    resume_from = str(parts.run.checkpoint) if parts.run.checkpoint else None
    try:
        with parts.stop:
            trainer.fit(module, datamodule=data, ckpt_path=resume_from)
            # Before the test, which restores the best checkpoint, and with it its callbacks.
            outcome.images_per_second = parts.throughput.images_per_second
            outcome.sentences = diagnosis.conclude(trainer, module) if diagnosis else []
            outcome.metrics = dict(kept.best_metrics if kept else {}) or epoch_metrics(trainer)
            if parts.prune and parts.prune.pruned:
                outcome.status = "pruned"
            if is_to_be_tested(parts, outcome):
                best = str(kept.best) if kept and kept.best_step is not None else None
                trainer.test(module, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
                outcome.metrics |= epoch_metrics(trainer)
            if trainer.strategy.broadcast(drawn):  # of torchrun's processes only rank 0 knows that it is in a sweep
                outcome.evaluation = report.last_evaluation(trainer, module, data, split_measured(outcome.metrics))
        if unsaved := not_saved(parts):
            outcome.status, outcome.failure = "failed", RunFailed(f"not saved: {'; '.join(unsaved)}")
    except (Exception, Interrupted) as raised:
        error = interruption(raised) or raised
        if isinstance(error, NonFiniteLoss) and kept and may_rewind(parts.run):
            parts.stop.done()
            raise Diverged(str(error)) from None
        if diagnosis and outcome.sentences is None and isinstance(error, NonFiniteLoss | Interrupted):
            outcome.sentences = diagnosis.conclude(trainer, module, error)
        outcome.status, outcome.failure = explain(error, parts)
        if drawn and trainer.world_size == 1 and isinstance(outcome.failure, RunFailed):
            outcome.evaluation = report.last_evaluation(trainer, module, data, split_measured(outcome.metrics))
    return outcome


def not_saved(parts: Parts) -> list[str]:
    """What of the run could not be written to the end, and why; on rank 0."""
    found = list(parts.checkpoints.unsaved.values()) if parts.checkpoints else []
    for logger in parts.trainer.loggers:
        logger.save()
        unsaved: Any = getattr(logger, "unsaved", None)
        found += [unsaved] if isinstance(unsaved, str) else []  # the logger of fast_dev_run has whatever one asks for
    return found


def is_to_be_tested(parts: Parts, outcome: Outcome) -> bool:
    """Whether there is a test set and something to test; the same on all ranks."""
    lost = bool(parts.checkpoints and "best.ckpt" in parts.checkpoints.unsaved)  # rank 0 alone knows
    wanted = parts.run.cfg.test and outcome.status != "pruned" and "test" in parts.data.sizes
    return bool(wanted and not parts.trainer.strategy.reduce_boolean_decision(lost, all=False))


def split_measured(metrics: dict[str, float]) -> str:
    """The split that the network has seen last."""
    return "test" if any(name.startswith("test/") for name in metrics) else "val"


def announce(parts: Parts) -> None:
    """The first line of a run: data, network, device, precision."""
    data = parts.data
    kind = "images" if len(data.input_shape) == 3 else "points"
    console.say(
        f"{data.name}: {' / '.join(f'{size:,}' for size in data.sizes.values())} {kind}  |  "
        f"{type(parts.module.network).__name__}  |  {device_name(parts.trainer)}, {parts.run.cfg.trainer.precision}"
    )


def summarize(run: Run) -> None:
    """Prints the layers of the configured network, for the configured data, without training it."""
    console.quieten()
    automatic = run.cfg.data.batch_size == "auto"
    _, data, module = assemble(run.settled(**{"data.batch_size": 1}) if automatic else run)
    console.say(f"{data.name}: {' x '.join(map(str, data.input_shape))}")
    console.say(summary_table(module.network, data.input_shape, max_depth=3))
