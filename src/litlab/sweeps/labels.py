"""Short names for long values of swept settings, such as two lists of augmentations."""

from collections.abc import Sequence

from litlab.sweeps.jobs import Job, Sweep

LONGEST = 28  # characters of a value that is shown as it is


class Labels:
    """Numbers the values of each setting that has a long one.

    Args:
        sweep: the jobs with their settings.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.numbers: dict[str, dict[str, str]] = {}
        for name in sweep.swept:
            values = list(dict.fromkeys(v for job in sweep.jobs if (v := job.settings.get(name)) is not None))
            if any(len(value) > LONGEST for value in values):
                self.numbers[name] = {value: f"#{number}" for number, value in enumerate(values, 1)}

    def value(self, name: str, value: str) -> str:
        """A value as it is shown: itself, or its number."""
        return self.numbers.get(name, {}).get(value, value)

    def of(self, job: Job, names: Sequence[str]) -> str:
        """The values of some settings of a job: `lr=0.1 augment=#2`."""
        return " ".join(f"{name.rpartition('.')[2]}={self.value(name, job.settings.get(name, ''))}" for name in names)

    @property
    def lines(self) -> list[str]:
        """What the numbers stand for, one a line."""
        return [
            f"{name} {number} = {value}" for name, values in self.numbers.items() for value, number in values.items()
        ]
