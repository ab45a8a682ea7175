"""The rules: from evidence to at most four sentences. They need neither Lightning nor torch.

Each rule compares the smoothed curves and a few numbers with the thresholds below. Some thresholds are a share of
`scale`: the loss before the first step, when a classifier knows nothing.
"""

import math
import statistics
from collections.abc import Sequence

from litlab.callbacks.diagnosis.curves import FALLS, Curves
from litlab.callbacks.diagnosis.evidence import FEW_STEPS, Evidence, digits

MOST = 4  # sentences
BEFORE_TRAINING = (
    "the learning rate is not the reason: look for NaN or huge numbers in the data (data.normalize) and in the first "
    "weights (model.weights)"
)
PURE_FLOAT16 = "trainer.precision=16-true alone can be the reason: try 16-mixed or bf16-true"

PAST_BEST = 0.10  # overfitting: the validation loss ended this share above its lowest value,
RISE = 0.02  # and this share of `scale` above it
DIVERGES = 0.50  # diverged: the training loss ended this share, and 0.1 of `scale`, above its lowest value,
EXPLODES = 10.0  # or it was once so many times `scale`
GAP = 0.15  # far better on training images: training accuracy minus validation accuracy
KNOWN = 0.50  # a loss below this share of chance means that the network knows something
NEAR = 0.10  # no better than a guess: neither loss is below chance by more than this share
IMPROVES = 0.05  # still improving: the last epoch lowered the loss by this share, and by `RISE` of `scale`
DEAD_LAYER, DEAD = 0.80, 0.50  # dead ReLUs: the share of units that never fire, of one layer or of all
UPDATE_HIGH, UPDATE_LOW = 0.1, 1e-5  # a step changes the weights too much, or too little, relative to the weights;
UPDATE_USUAL = 1e-3  # what is usual
FLAT_STEPS = 20  # after fewer steps, a flat curve says nothing
ENOUGH_DECAY = 0.01  # with more weight decay than this, even more is no advice
WAIT, WAIT_S = 0.40, 1.0  # data too slow: the share of the training time without a batch, and the seconds
RARE = 5  # a class with fewer validation images says nothing by not being predicted


def verdict(evidence: Evidence) -> list[str]:
    """The sentences, the most important first. A healthy run has one, which begins with `learning`."""
    curves = Curves(evidence)
    main = diverges(curves) or too_short(curves) or wrong_data(curves) or stuck(curves) or guesses(curves)
    main = main or unsettled(curves) or overfitting(curves)
    advice = [main] if main else [learning(curves)]
    advice += [wrong_start(curves), dead_units(evidence), update_size(curves, explained=bool(main))]
    if main is None or main.startswith("overfitting"):  # else the first sentence explains it
        advice.append(never_predicted(evidence))
    advice.append(waiting(evidence))
    if main is None:
        advice += [worse_than_mean(evidence), gap(evidence), still_improving(curves)]
    return [sentence for sentence in advice if sentence][:MOST]


# What the loss curves show. Each function returns a sentence, or None where it does not apply.


def learning(curves: Curves) -> str | None:
    """One falls; or both are flat at a good level, as those of weights that were trained before."""
    if curves.train_falls is None:
        return None
    parts = [curves.span("train"), *([curves.span("val")] if curves.val else [])]
    if curves.evidence.val_acc is not None:
        parts.append(f"val accuracy {curves.evidence.val_acc:.1%}")
    falls = curves.train_falls or curves.val_falls
    return f"{'learning' if falls else 'no change, at a good level'}: {', '.join(parts)}"


def diverges(curves: Curves) -> str | None:
    """The loss is NaN, or has exploded, or ended far above its lowest value."""
    evidence, setup = curves.evidence, curves.evidence.setup
    advice = f"try {setup.lower}{'' if setup.clips else ' or trainer.gradient_clip_val=1'}"
    if setup.pure_float16:
        advice = PURE_FLOAT16
    if evidence.before_training:
        return f"wrong start: the loss was NaN or infinite before the first step; {BEFORE_TRAINING}"
    if evidence.nonfinite_step is not None:
        return f"diverged: the loss was NaN or infinite at step {evidence.nonfinite_step}; {advice}"
    if curves.start is None or curves.end is None or curves.lowest is None or curves.peak is None:
        return None
    if curves.peak > EXPLODES * curves.scale:
        return f"diverged: the train loss began at {digits(curves.start)} and rose to {digits(curves.peak)}; {advice}"
    low = min(curves.lowest, curves.start)
    if curves.end - low > max(DIVERGES * abs(low), 0.1 * curves.scale):
        return f"diverged: the train loss fell to {digits(low)} and rose to {digits(curves.end)}; {advice}"
    return None


def too_short(curves: Curves) -> str | None:
    """Training is flat, and has had so few steps that this says nothing."""
    steps = curves.evidence.steps
    enough = FEW_STEPS if _above_chance(curves.evidence) else FLAT_STEPS
    if curves.train_falls is not False or steps is None or steps >= enough:
        return None
    return f"too short to tell: {curves.span('train')} in {steps} step{'s' * (steps != 1)}{_longer(curves.evidence)}"


def wrong_data(curves: Curves) -> str | None:
    """Training is flat while validation falls, and the losses are of the same kind."""
    if curves.train_falls is not False or not curves.val_falls or not curves.evidence.setup.comparable:
        return None
    return (
        f"wrong data: {curves.span('train')}, flat, while the val loss fell to {digits(curves.val[-1])}: the two sets "
        "differ, or share images; look at the training labels and at how data.val_size and the folders split them"
    )


def stuck(curves: Curves) -> str | None:
    """Both are flat, at a bad level."""
    if curves.train_falls is not False or curves.val_falls:
        return None
    if curves.chance is not None and curves.end is not None and curves.end < KNOWN * curves.chance:
        return None  # it was good from the beginning: the weights were trained before
    if _knows_classes(curves.evidence):
        return None
    evidence, setup = curves.evidence, curves.evidence.setup
    level = f", at chance (ln {evidence.num_classes} = {curves.chance:.2f})" if _at_chance(curves) else ""
    update = _largest(evidence.updates)
    if update is not None and update <= UPDATE_LOW:
        why = "do not move" if update == 0 else f"change by {update:.0e} of their size a step"
        frozen = " or less frozen (model.freeze)" if setup.frozen else ""
        advice = f"the weights {why}; try {setup.higher}{frozen}"
    elif evidence.steps is not None and evidence.steps < FEW_STEPS:
        advice = f"{evidence.steps} steps may be too few{_longer(evidence)}"
    elif update is not None and update < UPDATE_USUAL:
        small = f"the weights change by {update:.0e} of their size a step, where {UPDATE_USUAL:.0e} is usual"
        advice = f"{small}; try {setup.higher}"
    else:
        advice = f"try {setup.lower} or data.batch_size={setup.batch_size * 2}"
    return f"stuck: {curves.span('train')}, flat{level}; {advice}"


def guesses(curves: Curves) -> str | None:
    """The loss fell from a bad start to that of a network that knows nothing, whose answers are a few classes."""
    evidence, setup, chance = curves.evidence, curves.evidence.setup, curves.chance
    if chance is None or not curves.val or curves.end is None or evidence.val_acc is None or not evidence.support:
        return None
    if min(curves.end, curves.val[-1]) < (1 - NEAR) * chance or (evidence.steps or FEW_STEPS) < FEW_STEPS:
        return None
    answers, frequent = sum(1 for count in evidence.predicted if count), max(evidence.support) / sum(evidence.support)
    if answers > max(1, len(evidence.support) // 2) or evidence.val_acc > frequent + 1e-6:  # it has 32 bits
        return None
    update = _largest(evidence.updates)
    advice = setup.higher if update is not None and update < UPDATE_USUAL else setup.lower
    return (
        f"no better than a guess: {curves.span('train')}, {curves.span('val')}, where a guess has ln "
        f"{evidence.num_classes} = {chance:.2f}; val accuracy {evidence.val_acc:.1%}, with {answers} of "
        f"{len(evidence.support)} classes ever predicted; try {advice}"
    )


def unsettled(curves: Curves) -> str | None:
    """Training falls and validation does not, after so few steps that this says nothing."""
    evidence = curves.evidence
    if evidence.settled or not curves.train_falls or not curves.val:
        return None
    end, low = curves.val[-1], min(curves.val)
    never_fell = curves.start is not None and end > (1 - FALLS) * curves.start
    if not never_fell and _is_noise(end, low, curves):
        return None
    norm = "; the averages of batch norm need more steps" if evidence.setup.batch_norm else ""
    said = f"{curves.span('train')}, {curves.span('val')} in {evidence.steps} steps{norm}"
    return f"too short to tell: {said}{_longer(evidence)}"


def overfitting(curves: Curves) -> str | None:
    """Training falls. Validation has passed its lowest value, or never fell."""
    if not curves.train_falls or not curves.val or curves.end is None:
        return None
    evidence, val, low = curves.evidence, curves.val, min(curves.val)
    accuracy = ""
    if evidence.train_acc is not None and evidence.val_acc is not None:
        accuracy = f" (accuracy {evidence.train_acc:.1%} and {evidence.val_acc:.1%})"
    if curves.start and curves.end < 0.7 * curves.start and val[-1] > (1 - FALLS) * curves.start:
        bad = f"but the val loss is {digits(val[-1])}, no better than before training{accuracy}"
        if evidence.saw_each_image_once:
            return (
                f"validation differs: {curves.span('train')}, {bad}, and no image was seen twice: look at what "
                "differs between the two sets, and at layers that work otherwise in validation"
            )
        return f"overfitting: {curves.span('train')}, {bad}: it memorises; look at the labels, and try more data"
    best, train = _epoch_of(val.index(low), evidence), curves.train
    went_on = len(train) >= best and train[-1] < train[best - 1]
    end = min(val[-1], statistics.median(evidence.val[-3:]))  # one bad epoch proves nothing
    if not went_on or _is_noise(end, low, curves):
        return None
    lowest = min(evidence.val)
    at = _epoch_of(evidence.val.index(lowest), evidence)
    options = [*_more_variety(evidence), *([] if curves.evidence.setup.stops_early else [EARLY_STOPPING])]
    return (
        f"overfitting: {curves.span('train')}, but the val loss rose from {digits(lowest)} after epoch {at} to "
        f"{digits(val[-1])}{accuracy}; try {_any_of(options)}"
    )


# What else an experienced engineer looks at.


def wrong_start(curves: Curves) -> str | None:
    """The first loss is far above the loss of a network that knows nothing."""
    if curves.first is None or curves.chance is None or curves.first <= 1.5 * curves.chance + 0.5:
        return None
    return (
        f"wrong start: the loss before the first step is {digits(curves.first)}, where "
        f"ln({curves.evidence.num_classes}) = {curves.chance:.2f} is expected: look at data.normalize and the initial "
        "weights"
    )


def dead_units(evidence: Evidence) -> str | None:
    """Many units never fire."""
    total, dead = sum(n for _, _, n in evidence.units), sum(d for _, d, _ in evidence.units)
    worst = max(evidence.units, key=lambda unit: unit[1] / max(1, unit[2]), default=None)
    if worst is None or (dead < DEAD * total and worst[1] < DEAD_LAYER * worst[2]):
        return None
    return (
        f"dead ReLUs: {dead} of {total} units never fire on validation images, {worst[1]} of {worst[2]} in "
        f"{worst[0]}; try {evidence.setup.lower} or another initialisation"
    )


def update_size(curves: Curves, explained: bool) -> str | None:
    """The weights change too much or too little in a step."""
    update = _largest(curves.evidence.updates)
    if update is None or explained:
        return None
    if (middle := statistics.median(curves.evidence.updates)) >= UPDATE_HIGH:
        return (
            f"learning rate too high: a step changes the weights by {middle:.0%} of their size, where "
            f"{UPDATE_USUAL:.1%} is usual; try {curves.evidence.setup.lower}"
        )
    if update <= UPDATE_LOW:
        return (
            f"learning rate too low: a step changes the weights by {update:.0e} of their size, where "
            f"{UPDATE_USUAL:.0e} is usual; try {curves.evidence.setup.higher}"
        )
    return None


def never_predicted(evidence: Evidence) -> str | None:
    """Some classes are never predicted."""
    pairs = list(zip(evidence.support, evidence.predicted, strict=True))
    absent = [i for i, (images, answers) in enumerate(pairs) if images >= RARE and not answers]
    if not absent:
        return None
    names = ", ".join(evidence.class_names[i] for i in absent[:5]) + (", ..." if len(absent) > 5 else "")
    images, total = sum(evidence.support[i] for i in absent), sum(evidence.support)
    rare = images / len(absent) < 0.5 * total / len(pairs)
    if (evidence.ended_early or evidence.setup.tries) and not rare:  # more steps might have changed that
        return None
    advice = "data.balanced=true" if rare else f"trainer.max_epochs={2 * evidence.setup.max_epochs}"
    return (
        f"never predicted: {names} ({len(absent)} of {len(pairs)} classes, {images / total:.0%} of the validation "
        f"images); try {advice}"
    )


def waiting(evidence: Evidence) -> str | None:
    """Training waits for data."""
    if evidence.waited < WAIT_S or evidence.waited < WAIT * evidence.trained:
        return None
    setup = evidence.setup
    if setup.data_in == "files":
        more = max(2, 2 * setup.num_workers)
        if setup.num_workers < setup.cores:
            advice = f"try data.num_workers={min(more, setup.cores)} (it is {setup.num_workers})"
        else:
            advice = "try data.cache=memory, data.cache=disk or a smaller data.image_size"
    elif setup.device == "CPU":
        return None  # the CPU that would wait picks the batches itself
    elif setup.data_in == "memory":
        advice = "try data.device=gpu"
    elif setup.engine == "eager":
        advice = "try engine=graph"
    else:
        return None
    share = evidence.waited / evidence.trained
    return f"data too slow: the {setup.device} waited {share:.0%} of the time for batches; {advice}"


def worse_than_mean(evidence: Evidence) -> str | None:
    """A regression that is further from the targets than their mean."""
    if evidence.val_r2 is None or evidence.val_r2 >= 0:
        return None
    return f"worse than a guess: val R2 is {evidence.val_r2:.2f}, and the mean of the targets alone would have 0"


def gap(evidence: Evidence) -> str | None:
    """The network is far better on training images."""
    if evidence.train_acc is None or evidence.val_acc is None or evidence.train_acc - evidence.val_acc < GAP:
        return None
    if not evidence.settled:
        return None
    return (
        f"train accuracy {evidence.train_acc:.1%} is far above val accuracy {evidence.val_acc:.1%}; "
        f"try {_any_of(_more_variety(evidence))}"
    )


def still_improving(curves: Curves) -> str | None:
    """The last epoch was clearly the best."""
    raw = curves.evidence.val or curves.evidence.train
    if curves.evidence.ended_early or curves.evidence.setup.tries or len(raw) < 2:
        return None
    before, last = min(raw[:-1]), raw[-1]
    if before - last < max(IMPROVES * before, RISE * curves.scale):
        return None
    name = "val" if curves.evidence.val else "train"
    last_part = "epoch" if curves.evidence.val_every or not curves.evidence.val else "part of an epoch"
    return (
        f"still improving: the last {last_part} lowered the {name} loss from {digits(before)} to {digits(last)}; "
        f"try trainer.max_epochs={2 * curves.evidence.setup.max_epochs}"
    )


def _is_noise(end: float, low: float, curves: Curves) -> bool:
    """Whether a validation loss that ended at `end` is hardly above its lowest value."""
    return end - low <= max(PAST_BEST * low, RISE * curves.scale)


def _epoch_of(validation: int, evidence: Evidence) -> int:
    """The epoch, from 1, in or after which a validation was. Validations are counted from 0."""
    if evidence.val_every:
        return (validation + 1) * evidence.val_every
    return math.ceil((validation + 1) * max(1, len(evidence.train)) / len(evidence.val))


EARLY_STOPPING = "callbacks.early_stopping.enabled=true"


def _more_variety(evidence: Evidence) -> list[str]:
    """What may help against overfitting and is not in use."""
    used, decay = list(evidence.setup.augment), evidence.setup.weight_decay
    augment = "random_crop" if evidence.num_classes else "color_jitter"  # points must stay where they are
    options = [] if augment in used else [f"data.augment=[{','.join([*used, augment])}]"]
    if decay < ENOUGH_DECAY:
        options.append(f"optimizer.weight_decay={digits(min(10 * decay, ENOUGH_DECAY) or ENOUGH_DECAY)}")
    return [*options, "more data"]


def _any_of(options: Sequence[str]) -> str:
    """`a, b or c`."""
    *others, last = options
    return f"{', '.join(others)} or {last}" if others else last


def _knows_classes(evidence: Evidence) -> bool:
    """Whether the validation accuracy is nearer to 100 % than to that of always the most frequent class."""
    if evidence.val_acc is None or not evidence.num_classes:
        return False
    frequent = max(evidence.support, default=0) / max(1, sum(evidence.support))
    return evidence.val_acc > (1 + max(1 / evidence.num_classes, frequent)) / 2


def _longer(evidence: Evidence) -> str:
    """The advice to train for as long as a network needs to learn something; none if the run was a try."""
    if evidence.setup.tries:
        return ""
    if evidence.stopped_early:
        return "; try a larger callbacks.early_stopping.patience"
    epochs = max(2, math.ceil(2 * FEW_STEPS / max(1, evidence.steps or 0))) * evidence.setup.max_epochs
    return f"; try trainer.max_epochs={epochs}"


def _at_chance(curves: Curves) -> bool:
    """Whether the loss is that of a network that knows nothing, and the accuracy too."""
    if _above_chance(curves.evidence):
        return False
    return (
        curves.chance is not None and curves.end is not None and abs(curves.end - curves.chance) < NEAR * curves.chance
    )


def _above_chance(evidence: Evidence) -> bool:
    """Whether the validation accuracy is clearly better than that of a network that knows nothing."""
    return bool(evidence.num_classes and evidence.val_acc is not None and evidence.val_acc > 2 / evidence.num_classes)


def _largest(updates: Sequence[float]) -> float | None:
    """The largest of all epochs: a schedule may begin or end with a tiny learning rate."""
    finite = [update for update in updates if math.isfinite(update)]
    return max(finite, default=None)
