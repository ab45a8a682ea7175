"""Short names for long values of swept settings, such as two lists of augmentations."""

from collections.abc import Sequence

from litlab.sweeps.jobs import Job, Sweep

LONGEST = 28  # characters of a value that is shown as it is


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The last part of each name, `lr` of `optimizer.lr`, or as many parts as no other name ends with."""
    short = {}
    for name in names:
        parts = name.split(".")
        endings = (".".join(parts[-count:]) for count in range(1, len(parts) + 1))
        alone = (end for end in endings if sum(f".{other}".endswith(f".{end}") for other in names) == 1)
        short[name] = next(alone, name)
    return short


class Labels:
    """Numbers the values of each setting that has a long one.

    Args:
        sweep: the jobs with their settings.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.short = short_names(sweep.swept)
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
        values = {name: self.value(name, job.settings.get(name, "")) for name in names}
        return " ".join(f"{self.short.get(name, name)}={value}" for name, value in values.items())

    @property
    def lines(self) -> list[str]:
        """What the numbers stand for, one a line."""
        return [
            f"{name} {number} = {value}" for name, values in self.numbers.items() for value, number in values.items()
        ]
