"""What the curves of a run mean, in words: evidence in, at most four sentences out. No Lightning, no torch.

The loss falls, rises or is flat between the start and the end of a smoothed curve, by the thresholds below. Where a
threshold is a share of `scale`, that is the loss before the first step: what a classifier that knows nothing pays.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

MOST = 4  # sentences

FALLS = 0.05  # the loss ended this share below where it began; otherwise it is flat
VAL_FALLS = 0.10  # likewise, of the validation loss, where it is held against a training loss that is flat
PAST_BEST = 0.10  # the validation loss ended this share above its lowest,
RISE = 0.02  # and by this share of `scale`
DIVERGES = 0.50  # the training loss ended this share above its lowest, and by 0.1 of `scale`
EXPLODES = 10.0  # or was at any time so many times `scale`
GAP = 0.15  # training accuracy above validation accuracy
KNOWN = 0.50  # a loss below this share of chance is that of a network that knows something, flat or not
IMPROVES = 0.05  # the last epoch lowered the loss by this share, and by `RISE` of `scale`
DEAD_LAYER, DEAD = 0.80, 0.50  # share of units that never fire, of one layer or of all
UPDATE_HIGH, UPDATE_LOW = 0.1, 1e-5  # the change of the weights in one step, relative to the weights,
UPDATE_USUAL = 1e-3  # which is usually this
FEW_STEPS = 100  # in which a network may not have learned anything yet
ENOUGH_DECAY = 0.01  # weight decay, above which more of it is not what is missing
WAIT, WAIT_S = 0.40, 1.0  # share of the training time spent waiting for batches, and seconds in all
RARE = 5  # validation images of a class, below which its absence from the predictions means nothing


@dataclass
class Evidence:
    """What is known of a run when it ends. Everything may be missing.

    Args:
        losses: training loss over blocks of steps, the first of them that of the very first batch.
        train: mean training loss of each epoch; `val`: likewise of validation, after each `val_every` epochs.
        train_acc: accuracies of the latest epoch; `val_acc`: likewise.
        num_classes: of classification; None where there are no classes.
        plain_cross_entropy: whether a network that knows nothing is expected to have a loss of ln(num_classes).
        nonfinite_step: where the loss became NaN or infinite.
        support: validation images of each class; `predicted`: how often each was the answer.
        units: of each ReLU, its name, the units that never fired on validation images, and all of them.
        updates: the change of the weights in one step of each epoch, relative to the weights: the median over layers.
        steps: that the optimizer took.
        waited: seconds without a batch; `trained`: seconds of training in all.
        ended_early: whether somebody or something stopped the run before its last epoch.
    """

    losses: Sequence[float] = ()
    train: Sequence[float] = ()
    val: Sequence[float] = ()
    val_every: int = 1
    train_acc: float | None = None
    val_acc: float | None = None
    num_classes: int | None = None
    plain_cross_entropy: bool = False
    nonfinite_step: int | None = None
    class_names: Sequence[str] = ()
    support: Sequence[int] = ()
    predicted: Sequence[int] = ()
    units: Sequence[tuple[str, int, int]] = ()
    updates: Sequence[float] = ()
    steps: int | None = None
    waited: float = 0.0
    trained: float = 0.0
    ended_early: bool = False
    settings: "Settings" = field(default_factory=lambda: Settings())


@dataclass
class Settings:
    """What the advice multiplies and divides, and what it need not propose.

    Args:
        augment: names of the augmentations in use.
        clips: whether gradients are clipped.
        stops_early: whether early stopping is on.
        frozen: whether there are parameters that are not trained.
    """

    lr: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 64
    num_workers: int = 0
    max_epochs: int = 1
    device: str = "CPU"
    augment: Sequence[str] = ()
    clips: bool = False
    stops_early: bool = False
    frozen: bool = False

    @property
    def lower(self) -> str:
        """A learning rate to try where this one is too high."""
        return f"optimizer.lr={_n(min(self.lr / 10, 0.1))} (it is {_n(self.lr)})"

    @property
    def higher(self) -> str:
        """A learning rate to try where this one is too low."""
        return f"optimizer.lr={_n(self.lr * 10)} (it is {_n(self.lr)})"


def verdict(evidence: Evidence) -> list[str]:
    """Sentences, most important first. A healthy run has one, which begins with `learning`; the others hold advice."""
    curves = Curves(evidence)
    main = diverges(curves) or wrong_data(curves) or stuck(curves) or overfitting(curves)
    advice = [main] if main else [learning(curves)]
    advice += [wrong_start(curves), dead_units(evidence), update_size(curves, explained=bool(main))]
    if main is None or main.startswith("overfitting"):  # else it is no wonder
        advice.append(never_predicted(evidence))
    advice.append(waiting(evidence))
    if main is None:
        advice += [gap(evidence), still_improving(curves)]
    return [sentence for sentence in advice if sentence][:MOST]


class Curves:
    """The loss curves, smoothed, and where they begin and end."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence, self.settings = evidence, evidence.settings
        finite = [value for value in evidence.losses if math.isfinite(value)]
        self.first = finite[0] if finite else None  # before the first step
        self.blocks = smoothed(finite[1:])
        self.train, self.val = smoothed(evidence.train), smoothed(evidence.val)
        fine = self.train if len(self.train) >= len(self.blocks) else self.blocks
        self.start = self.first if self.first is not None else next(iter(self.train), None)
        self.end = fine[-1] if fine else None
        self.lowest = min(fine, default=None)
        self.scale = max(abs(self.start or 0.0), 1e-12)
        self.peak = max([*finite, *evidence.train], default=None)

    @property
    def chance(self) -> float | None:
        """Cross-entropy of a network that knows nothing."""
        classes = self.evidence.num_classes
        return math.log(classes) if classes and classes > 1 and self.evidence.plain_cross_entropy else None

    @property
    def train_falls(self) -> bool | None:
        if self.start is None or self.end is None:
            return None
        return self.end <= self.start - FALLS * abs(self.start)

    def span(self, name: str) -> str:
        """`train loss 2.31 to 0.12`."""
        if name == "train":
            return f"train loss {_n(self.start)} to {_n(self.end)}"
        return (
            f"val loss {_n(self.val[0])} to {_n(self.val[-1])}" if len(self.val) > 1 else f"val loss {_n(self.val[-1])}"
        )


def smoothed(curve: Sequence[float]) -> list[float]:
    """The median of each value and its two neighbours, in which a single outlier leaves no trace; ends stay."""
    middle = [statistics.median(curve[i - 1 : i + 2]) for i in range(1, len(curve) - 1)]
    return [curve[0], *middle, curve[-1]] if len(curve) > 2 else list(curve)


# The five readings of the loss curves. Each returns a sentence, or None where it does not apply.


def learning(curves: Curves) -> str | None:
    """Both fall."""
    if not curves.train_falls:
        return None
    parts = [curves.span("train"), *([curves.span("val")] if curves.val else [])]
    if curves.evidence.val_acc is not None:
        parts.append(f"val accuracy {curves.evidence.val_acc:.1%}")
    return f"learning: {', '.join(parts)}"


def diverges(curves: Curves) -> str | None:
    """The loss is NaN, has exploded, or ended far above its lowest."""
    evidence, settings = curves.evidence, curves.settings
    advice = f"try {settings.lower}{'' if settings.clips else ' or trainer.gradient_clip_val=1'}"
    if evidence.nonfinite_step is not None:
        return f"diverged: the loss was NaN or infinite at step {evidence.nonfinite_step}; {advice}"
    if curves.start is None or curves.end is None or curves.lowest is None or curves.peak is None:
        return None
    if curves.peak > EXPLODES * curves.scale:
        return f"diverged: the train loss began at {_n(curves.start)} and rose to {_n(curves.peak)}; {advice}"
    low = min(curves.lowest, curves.start)
    if curves.end - low > max(DIVERGES * abs(low), 0.1 * curves.scale):
        return f"diverged: the train loss fell to {_n(low)} and rose to {_n(curves.end)}; {advice}"
    return None


def wrong_data(curves: Curves) -> str | None:
    """Training is flat while validation falls."""
    if curves.train_falls is not False or not curves.val:
        return None
    start = curves.val[0] if curves.start is None else max(curves.start, curves.val[0])
    if curves.val[-1] > (1 - VAL_FALLS) * start:
        return None
    return (
        f"wrong data: {curves.span('train')}, flat, while the val loss fell to {_n(curves.val[-1])}: the two sets "
        "differ, or share images; look at the training labels and at how data.val_size and the folders split them"
    )


def stuck(curves: Curves) -> str | None:
    """Both are flat, at a level that is not good."""
    if curves.train_falls is not False:
        return None
    if curves.chance is not None and curves.end is not None and curves.end < KNOWN * curves.chance:
        return None  # good from the beginning: weights that were trained before
    evidence, settings = curves.evidence, curves.settings
    level = f", at chance (ln {evidence.num_classes} = {curves.chance:.2f})" if _at_chance(curves) else ""
    update = _largest(evidence.updates)
    if update is not None and update <= UPDATE_LOW:
        why = "do not move" if update == 0 else f"change by {update:.0e} of their size a step"
        frozen = " or less frozen (model.freeze)" if settings.frozen else ""
        advice = f"the weights {why}; try {settings.higher}{frozen}"
    elif evidence.steps is not None and evidence.steps < FEW_STEPS:
        epochs = max(2, math.ceil(2 * FEW_STEPS / max(1, evidence.steps))) * settings.max_epochs
        advice = f"{evidence.steps} steps may be too few; try trainer.max_epochs={epochs}"
    elif update is not None and update < UPDATE_USUAL:
        small = f"the weights change by {update:.0e} of their size a step, where {UPDATE_USUAL:.0e} is usual"
        advice = f"{small}; try {settings.higher}"
    else:
        advice = f"try {settings.lower} or data.batch_size={settings.batch_size * 2}"
    return f"stuck: {curves.span('train')}, flat{level}; {advice}"


def overfitting(curves: Curves) -> str | None:
    """Training falls; validation has passed its lowest, or never fell."""
    if not curves.train_falls or not curves.val or curves.end is None:
        return None
    evidence, val, low = curves.evidence, curves.val, min(curves.val)
    accuracy = ""
    if evidence.train_acc is not None and evidence.val_acc is not None:
        accuracy = f" (accuracy {evidence.train_acc:.1%} and {evidence.val_acc:.1%})"
    if curves.start and curves.end < 0.7 * curves.start and val[-1] > (1 - FALLS) * curves.start:
        return (
            f"overfitting: {curves.span('train')}, but the val loss is {_n(val[-1])}, no better than before training"
            f"{accuracy}: it memorises; look at the labels, and try more data (data.train_limit)"
        )
    best, train = (val.index(low) + 1) * evidence.val_every, curves.train
    went_on = len(train) >= best and train[-1] < train[best - 1]
    end = min(val[-1], statistics.median(evidence.val[-3:]))  # one bad epoch, or a good one, is none yet
    if not went_on or end - low <= max(PAST_BEST * low, RISE * curves.scale):
        return None
    lowest = min(evidence.val)
    at = (evidence.val.index(lowest) + 1) * evidence.val_every
    options = [*_more_variety(evidence), *([] if curves.settings.stops_early else [EARLY_STOPPING])]
    return (
        f"overfitting: {curves.span('train')}, but the val loss rose from {_n(lowest)} after epoch {at} to "
        f"{_n(val[-1])}{accuracy}; try {_any_of(options)}"
    )


# What an experienced engineer adds.


def wrong_start(curves: Curves) -> str | None:
    """The first loss is far above that of a network that knows nothing."""
    if curves.first is None or curves.chance is None or curves.first <= 1.5 * curves.chance + 0.5:
        return None
    return (
        f"wrong start: the loss before the first step is {_n(curves.first)}, where ln({curves.evidence.num_classes}) = "
        f"{curves.chance:.2f} is expected: look at data.normalize and the initial weights"
    )


def dead_units(evidence: Evidence) -> str | None:
    """Units that never fire."""
    total, dead = sum(n for _, _, n in evidence.units), sum(d for _, d, _ in evidence.units)
    worst = max(evidence.units, key=lambda unit: unit[1] / max(1, unit[2]), default=None)
    if worst is None or (dead < DEAD * total and worst[1] < DEAD_LAYER * worst[2]):
        return None
    return (
        f"dead ReLUs: {dead} of {total} units never fire on validation images, {worst[1]} of {worst[2]} in "
        f"{worst[0]}; try {evidence.settings.lower} or another initialisation"
    )


def update_size(curves: Curves, explained: bool) -> str | None:
    """The weights change too much or too little in a step."""
    update = _largest(curves.evidence.updates)
    if update is None or explained:
        return None
    if (middle := statistics.median(curves.evidence.updates)) >= UPDATE_HIGH:
        return (
            f"learning rate too high: a step changes the weights by {middle:.0%} of their size, where "
            f"{UPDATE_USUAL:.1%} is usual; try {curves.settings.lower}"
        )
    if update <= UPDATE_LOW:
        return (
            f"learning rate too low: a step changes the weights by {update:.0e} of their size, where "
            f"{UPDATE_USUAL:.0e} is usual; try {curves.settings.higher}"
        )
    return None


def never_predicted(evidence: Evidence) -> str | None:
    """Classes that are there, and never the answer."""
    pairs = list(zip(evidence.support, evidence.predicted, strict=True))
    absent = [i for i, (images, answers) in enumerate(pairs) if images >= RARE and not answers]
    if not absent:
        return None
    names = ", ".join(evidence.class_names[i] for i in absent[:5]) + (", ..." if len(absent) > 5 else "")
    images, total = sum(evidence.support[i] for i in absent), sum(evidence.support)
    rare = images / len(absent) < 0.5 * total / len(pairs)
    if evidence.ended_early and not rare:  # the epochs that were left out may have changed that
        return None
    advice = "data.balanced=true" if rare else f"trainer.max_epochs={2 * evidence.settings.max_epochs}"
    return (
        f"never predicted: {names} ({len(absent)} of {len(pairs)} classes, {images / total:.0%} of the validation "
        f"images); try {advice}"
    )


def waiting(evidence: Evidence) -> str | None:
    """Training waits for data."""
    if evidence.waited < WAIT_S or evidence.waited < WAIT * evidence.trained:
        return None
    workers, share = evidence.settings.num_workers, evidence.waited / evidence.trained
    return (
        f"data too slow: the {evidence.settings.device} waited {share:.0%} of the time for batches; "
        f"raise data.num_workers={max(2, 2 * workers)} (it is {workers})"
    )


def gap(evidence: Evidence) -> str | None:
    """Far better on what it has seen."""
    if evidence.train_acc is None or evidence.val_acc is None or evidence.train_acc - evidence.val_acc < GAP:
        return None
    return (
        f"train accuracy {evidence.train_acc:.1%} is far above val accuracy {evidence.val_acc:.1%}; "
        f"try {_any_of(_more_variety(evidence))}"
    )


def still_improving(curves: Curves) -> str | None:
    """The last epoch was the best, and clearly."""
    raw = curves.evidence.val or curves.evidence.train
    if curves.evidence.ended_early or len(raw) < 2:
        return None
    before, last = min(raw[:-1]), raw[-1]
    if before - last < max(IMPROVES * before, RISE * curves.scale):
        return None
    name = "val" if curves.evidence.val else "train"
    return (
        f"still improving: the last epoch lowered the {name} loss from {_n(before)} to {_n(last)}; "
        f"try trainer.max_epochs={2 * curves.settings.max_epochs}"
    )


EARLY_STOPPING = "callbacks.early_stopping.enabled=true"


def _more_variety(evidence: Evidence) -> list[str]:
    """What may help against learning by heart, without what is in use."""
    used, decay = list(evidence.settings.augment), evidence.settings.weight_decay
    augment = "random_crop" if evidence.num_classes else "color_jitter"  # which leaves points where they are
    options = [] if augment in used else [f"data.augment=[{','.join([*used, augment])}]"]
    if decay < ENOUGH_DECAY:
        options.append(f"optimizer.weight_decay={_n(min(10 * decay, ENOUGH_DECAY) or ENOUGH_DECAY)}")
    return [*options, "more data"]


def _any_of(options: Sequence[str]) -> str:
    """`a, b or c`."""
    *others, last = options
    return f"{', '.join(others)} or {last}" if others else last


def _at_chance(curves: Curves) -> bool:
    return (
        curves.chance is not None and curves.end is not None and abs(curves.end - curves.chance) < 0.1 * curves.chance
    )


def _largest(updates: Sequence[float]) -> float | None:
    """Of all epochs: a schedule that ends, or begins, with next to no learning rate is not to blame for that."""
    finite = [update for update in updates if math.isfinite(update)]
    return max(finite, default=None)


def _n(value: float | None) -> str:
    """Three digits that matter."""
    return "?" if value is None else f"{value:.3g}"
