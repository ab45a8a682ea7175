"""The way from `train.py` to the training step.

run_training           locks the run folder, settles and records the config
train                  in as many processes as the config asks for; again from a checkpoint if the loss became NaN
train_in_this_process  builds the parts of the run, and writes its result
fit_and_test           `trainer.fit`, which calls the training step in `modules/supervised.py`, then `trainer.test`
"""

import torch

from litlab import console
from litlab.callbacks import epoch_metrics, interruption
from litlab.checkpoint import read
from litlab.config import Run, check
from litlab.distributed import Heartbeat, is_rank, ranks_wanted, start_ranks, tell, world_size
from litlab.errors import ConfigError, Diverged, Interrupted
from litlab.machine import cores
from litlab.runs import give_back, hold, objective_value, read_result, remove_if_unused
from litlab.training import jobs, weights
from litlab.training.assemble import fill_cache, prepare_data
from litlab.training.build import Parts, build_parts
from litlab.training.first_batch import check_first_batch
from litlab.training.limits import check_last_batch, check_limits
from litlab.training.lr_range_test import find_learning_rate
from litlab.training.outcome import Outcome, has_page, note_error, note_evaluation, note_training, note_unsaved
from litlab.training.record import failure_recorded, settled_and_recorded
from litlab.training.result import finish
from litlab.training.resume import check_same_batches, reset_files, restore_settings
from litlab.training.rewind import rewound
from litlab.training.settle import settle_for_other_hosts
from litlab.training.splits import note_splits, restore_splits, write_splits
from litlab.training.terminal import print_layers, print_names, print_start


def run_training(run: Run) -> float | None:
    """Trains a run, or goes on with it, in one process or several.

    Returns:
        The best value of the objective, for the sweeper; None if there is none.

    Raises:
        ConfigError: for a wrong setting, before anything was trained. The run folder is then removed again, or left as
            it was.
        RunFailed: if the training began and could not be finished.
    """
    if run.project:
        run.project.make_importable()
    if run.job:
        jobs.end_with_sweep(run.job.launcher)
        jobs.print_to_log_only(run.job)
    with jobs.stopped_with_sweep(run.job):
        return _train_locked(run)


def _train_locked(run: Run) -> float | None:
    """The same, once signals and the lines of a job are taken care of."""
    lock = jobs.hold_when_free(run.folder) if run.job else hold(run.folder)
    try:
        if run.job:
            run, result = jobs.resume_job(run)
            if result:
                console.say(f"{run.folder.name}: finished before, not run again")
                return objective_value(result)
        with failure_recorded(run):
            if run.get("list") is True:  # another value is refused below
                print_names(run)
                remove_if_unused(run.folder)
                return None
            check(run.cfg, run.overrides, run.chosen)
            if run.get("summary"):
                print_layers(run)
                remove_if_unused(run.folder)
                return None
            if run.get("lr_find"):
                find_learning_rate(run)
                return None
            with settled_and_recorded(run) as settled:
                train(settled)
        return objective_value(read_result(run.folder))
    finally:
        give_back(lock)


def train(run: Run) -> None:
    """Trains in this process, or in as many as `trainer.devices` asks for.

    With `on_nan=rewind`, a loss that becomes NaN takes the run back to a checkpoint. Several processes are then started
    anew, because those without the NaN wait for the one that has it.
    """
    if run.get("on_nan") == "rewind" and world_size() > 1:
        raise ConfigError("on_nan=rewind: not under torchrun or srun, whose processes litlab cannot start again")
    while True:
        processes = ranks_wanted(run.cfg.trainer)
        try:
            if processes > 1 and not is_rank():
                start_ranks({"job": "train", "run": run.to_plain()}, processes, run.get("preempt_grace_s", 20))
            else:
                settled = settle_for_other_hosts(run)
                tell("train", settled)
                with Heartbeat():
                    train_in_this_process(settled)
            return
        except Diverged as error:
            reason = str(error)
        run = rewound(run, reason)


def train_in_this_process(run: Run) -> None:
    """Trains in this process, which may be one of several. Rank 0 writes the result.

    Raises:
        ConfigError, RunFailed: as `run_training` does.
    """
    console.quieten()
    if run.project:  # again: this may be a process of its own
        run.project.make_importable()
    if run.get("threads"):
        if (here := cores()) < run.cfg.threads:  # not refused: the same `threads` give the same numbers on any machine
            console.warn(f"threads={run.cfg.threads}: more than the {here} cores here are slower; write threads={here}")
        torch.set_num_threads(run.cfg.threads)
    saved = read(run.checkpoint) if run.checkpoint and run.checkpoint.exists() else None  # other hosts may lack it
    parts = build_parts(restore_settings(run, saved) if saved else run, saved)
    if saved:
        restore_splits(parts)
    prepare_data(parts.run, parts.data)
    note_splits(parts, saved)
    check_first_batch(parts)
    check_limits(parts.run, parts.data)
    check_last_batch(parts.run, parts.data, parts.module.network)
    fill_cache(parts.run, parts.data)
    if saved:
        check_same_batches(parts, saved)
    else:
        weights.show_data(parts.run, parts.module.network, parts.data)
    if not run.rewound:
        print_start(parts)
    if parts.trainer.is_global_zero:
        try:
            reset_files(parts, saved)
        except OSError as error:
            raise ConfigError(f"{parts.run.folder}: cannot be written to: {error.strerror}") from error
        write_splits(parts)
    del saved
    outcome = fit_and_test(parts)
    parts.stop.done()
    if parts.trainer.is_global_zero:
        finish(parts, outcome)
    if outcome.failure:
        raise outcome.failure


def fit_and_test(parts: Parts) -> Outcome:
    """Trains, and measures the best checkpoint on the test set.

    Returns:
        How that ended. An error is noted in it, so that the result of the run can still be written.

    Raises:
        Diverged: if the loss became NaN and the run goes back to a checkpoint.
    """
    data, module, trainer = parts.data, parts.module, parts.trainer
    outcome, resume_from = Outcome(), str(parts.run.checkpoint) if parts.run.checkpoint else None
    try:
        with parts.stop:
            trainer.fit(module, datamodule=data, ckpt_path=resume_from)
            note_training(outcome, parts)
            if is_to_be_tested(parts, outcome):
                best = best_to_load(parts, outcome)
                trainer.test(module, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
                outcome.metrics |= epoch_metrics(trainer)
            if trainer.strategy.broadcast(has_page(parts.run)):
                note_evaluation(outcome, parts)
        note_unsaved(outcome, parts)
    except (Exception, Interrupted) as error:
        note_error(outcome, parts, interruption(error) or error)
    return outcome


def best_to_load(parts: Parts, outcome: Outcome) -> str | None:
    """The best checkpoint; None if there is none, or if the network still has its weights: those of the last step."""
    if not parts.checkpoints or parts.checkpoints.best_step is None:
        return None
    is_now = parts.checkpoints.best_step == parts.trainer.global_step and not outcome.idle
    return None if is_now and parts.trainer.world_size == 1 else str(parts.checkpoints.best)


def is_to_be_tested(parts: Parts, outcome: Outcome) -> bool:
    """Whether there is a test set and a network to test. The answer is the same on all ranks."""
    best_is_lost = bool(parts.checkpoints and "best.ckpt" in parts.checkpoints.unsaved)  # only rank 0 knows
    wanted = (
        parts.run.cfg.test
        and parts.run.get("trainer.limit_test_batches") != 0
        and outcome.status != "pruned"
        and "test" in parts.data.sizes
    )
    return bool(wanted and not parts.trainer.strategy.reduce_boolean_decision(best_is_lost, all=False))
