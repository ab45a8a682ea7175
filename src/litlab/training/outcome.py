"""How a training ended: what `fit_and_test` has found so far, also if an error ended it."""

import signal
from dataclasses import dataclass, field
from typing import Any

from litlab import report
from litlab.callbacks import Diagnosis, EvaluationOutputs, callback_of, epoch_metrics, outputs_of, part_of_epoch
from litlab.config import Run
from litlab.errors import Diverged, Interrupted, RunFailed
from litlab.modules import NonFiniteLoss
from litlab.training.build import Parts
from litlab.training.failure import explain
from litlab.training.rewind import may_rewind
from litlab.training.stopped import stopped_by, trained_epochs


@dataclass
class Outcome:
    """How a training ended.

    Args:
        status: completed, pruned, interrupted or failed.
        metrics: of the best checkpoint. Without one they are those of the last epoch, or empty if an error came.
        images_per_second: in training; 0 if the training did not come to its end.
        verdict: the sentences of the diagnosis; None if it is switched off, or not yet made.
        stopped_by: what ended the training, in one word, or the name of the signal; None: an error.
        whole_epochs: that were trained; None before the training has ended.
        cut_short: whether the run ended within the epoch after them.
        idle: whether a resumed run had nothing left to train.
        evaluation: predictions of the best checkpoint, for the page; None if there is no page.
        failure: the error with which the run ends.
    """

    status: str = "completed"
    metrics: dict[str, float] = field(default_factory=dict)
    images_per_second: float = 0.0
    verdict: list[str] | None = None
    stopped_by: str | None = None
    whole_epochs: int | None = None
    cut_short: bool = False
    idle: bool = False
    evaluation: report.Evaluation | None = None
    failure: Exception | None = None


def note_training(outcome: Outcome, parts: Parts) -> None:
    """Notes what the training has shown, before the test restores the callbacks of the best checkpoint."""
    outcome.images_per_second = parts.throughput.images_per_second
    outcome.verdict = _verdict(parts) or []
    best_metrics = parts.checkpoints.best_metrics if parts.checkpoints else {}
    outcome.metrics = dict(best_metrics) or epoch_metrics(parts.trainer)
    if parts.prune and parts.prune.pruned:
        outcome.status = "pruned"
    outcome.idle = parts.resume.resumed_at == parts.trainer.global_step
    outcome.cut_short = bool(part_of_epoch(parts.trainer))
    progress: Any = parts.trainer.fit_loop.epoch_progress.current
    counted = outcome.cut_short and progress.ready == progress.processed  # Lightning counts a part as an epoch
    outcome.whole_epochs = trained_epochs(parts.trainer) - counted
    outcome.stopped_by = stopped_by(parts.trainer, outcome.status == "pruned", outcome.whole_epochs)


def note_error(outcome: Outcome, parts: Parts, error: Exception | Interrupted) -> None:
    """Notes an error that ended the training or the test.

    Raises:
        Diverged: if the loss became NaN and the run goes back to a checkpoint.
    """
    if isinstance(error, NonFiniteLoss) and not error.before_training and parts.checkpoints and may_rewind(parts.run):
        parts.stop.done()
        raise Diverged(str(error)) from None
    if outcome.verdict is None and isinstance(error, NonFiniteLoss | Interrupted):
        outcome.verdict = _verdict(parts, error)
    outputs = callback_of(parts.trainer, EvaluationOutputs)
    if parts.checkpoints and parts.checkpoints.settle_best() and outputs:
        outputs.forget_best()
    outcome.status, outcome.failure = explain(error, parts)
    if not outcome.metrics and parts.checkpoints:
        outcome.metrics = dict(parts.checkpoints.best_metrics)
    if outcome.whole_epochs is None:
        outcome.whole_epochs = trained_epochs(parts.trainer)  # without the one in which the error came
        outcome.cut_short = bool(part_of_epoch(parts.trainer))
    if isinstance(error, Interrupted):
        outcome.stopped_by = signal.Signals(error.signum).name
    if has_page(parts.run) and parts.trainer.world_size == 1 and isinstance(outcome.failure, RunFailed):
        note_evaluation(outcome, parts)


def note_unsaved(outcome: Outcome, parts: Parts) -> None:
    """Notes files that could not be written to the end of the run; on rank 0."""
    unsaved = list(parts.checkpoints.unsaved.values()) if parts.checkpoints else []
    for logger in parts.trainer.loggers:
        logger.save()
        reason: Any = getattr(logger, "unsaved", None)
        unsaved += [reason] if isinstance(reason, str) else []  # the logger of fast_dev_run has every attribute
    if unsaved:
        outcome.status, outcome.failure = "failed", RunFailed(f"not saved: {'; '.join(unsaved)}")


def note_evaluation(outcome: Outcome, parts: Parts) -> None:
    """Notes what the best checkpoint predicts for the test or validation set. All ranks must call this together."""
    split = "test" if any(name.startswith("test/") for name in outcome.metrics) else "val"
    # The metrics beside them are those of the best checkpoint, which may be from before a resume.
    of_best = split == "test" or outputs_of(parts.trainer).use_best()
    found = report.last_evaluation(parts.trainer, parts.module, parts.data, split)
    if found and found.split == "val" and not of_best:
        found.after = "(last epoch)"
    outcome.evaluation = found


def has_page(run: Run) -> bool:
    """Whether a page is drawn of the run. Under torchrun only rank 0 knows if the run is a job of a sweep."""
    wanted = bool(run.get("callbacks.report.enabled", False))
    return wanted and (run.job is None or bool(run.get("callbacks.report.in_sweeps", False)))


def _verdict(parts: Parts, error: BaseException | None = None) -> list[str] | None:
    diagnosis = callback_of(parts.trainer, Diagnosis)
    return diagnosis.conclude(parts.trainer, parts.module, error) if diagnosis else None
