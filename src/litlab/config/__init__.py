"""The config: checked, built from, recorded, and what of it identifies a run. Needs no torch."""

from litlab.config.build import Chosen, blame, build, class_of, option
from litlab.config.check import AUTO, FILLED_FROM_DATA, GROUPS, STARTING, check, suggest
from litlab.config.identity import filled_then, is_left_open, numeric
from litlab.config.objective import objective_mode
from litlab.config.recorded import combine, compose_again, read_overrides, read_recorded, record
from litlab.config.run import Run, SweepJob, changed, restored, select

__all__ = [
    "AUTO",
    "FILLED_FROM_DATA",
    "GROUPS",
    "STARTING",
    "Chosen",
    "Run",
    "SweepJob",
    "blame",
    "build",
    "changed",
    "check",
    "class_of",
    "combine",
    "compose_again",
    "filled_then",
    "is_left_open",
    "numeric",
    "objective_mode",
    "option",
    "read_overrides",
    "read_recorded",
    "record",
    "restored",
    "select",
    "suggest",
]
