"""The settings that Optuna searches, and the values that it can choose for each."""

import math
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    Values: TypeAlias = CategoricalDistribution | FloatDistribution | IntDistribution

Space = dict[str, "Values"]  # by the key of the override, such as `optimizer.lr`


def distribution(override: Override) -> "Values":
    """The values that an override of the command line names, as Optuna describes them.

    Raises:
        HydraException: if Optuna refuses them.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    values: Any = override.value()
    kind: Any
    try:
        if isinstance(values, IntervalSweep):
            whole = isinstance(values.start, int) and isinstance(values.end, int)
            kind = IntDistribution if whole else FloatDistribution
            return kind(values.start, values.end, log="log" in values.tags)
        if isinstance(values, RangeSweep) and not values.shuffle:
            steps = sorted(values.range())
            if len(steps) > 1:
                kind = IntDistribution if all(isinstance(step, int) for step in steps) else FloatDistribution
                return kind(steps[0], steps[-1], step=abs(values.step))
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise HydraException(f"{override.input_line}: {error}") from error


def choose(trial: "Trial", name: str, values: "Values") -> None:
    """Lets the study's sampler choose a value. A value that was chosen before stays."""
    from optuna.distributions import FloatDistribution, IntDistribution

    if isinstance(values, FloatDistribution):
        trial.suggest_float(name, values.low, values.high, step=values.step, log=values.log)
    elif isinstance(values, IntDistribution):
        trial.suggest_int(name, values.low, values.high, step=values.step, log=values.log)
    else:
        trial.suggest_categorical(name, values.choices)


def some_values(values: "Values") -> Sequence[Any]:
    """All values if they can be counted, else the lowest alone."""
    from optuna.distributions import CategoricalDistribution

    return values.choices if isinstance(values, CategoricalDistribution) else [values.low]


def ends(values: "Values") -> Sequence[Any]:
    """All values if they can be counted, else those next to the ends: an interval hardly ever gives an end.

    Of real numbers there is one between the ends, too, which is no whole number.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(values, CategoricalDistribution):
        return values.choices
    if not isinstance(values, FloatDistribution):
        return [values.low, values.high]
    if values.step is not None:
        return list(dict.fromkeys([values.low, min(values.low + values.step, values.high), values.high]))
    between = values.low + (values.high - values.low) / math.pi
    return [math.nextafter(values.low, values.high), between, math.nextafter(values.high, values.low)]


def with_whole_numbers(said: str, overrides: Sequence[Override]) -> str:
    """The refusal of a value that Optuna may choose. If it must be an integer, it says how an interval has these.

    Args:
        said: such as `seed=1.318: must be an integer`.
        overrides: of the command line.
    """
    for override in overrides:
        key, is_interval = override.get_key_element(), isinstance(override.value(), IntervalSweep)
        if is_interval and said.startswith(f"{key}=") and ": must be an integer" in said:
            line = str(override.input_line)
            whole = shlex.quote(f"{key}=int({line.partition('=')[2]})")
            return f"{line}: {said.partition(': ')[2]}; whole numbers are written {whole}"
    return said


def written(value: Any) -> str:
    """A chosen value in an override. Six digits are enough for a learning rate, and keep folder names short."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
