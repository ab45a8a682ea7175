"""The config of a run: checks it, builds from it, records it, and says what identifies a run. Needs no torch."""

from litlab.config.build import Chosen, blame, build, class_of, option
from litlab.config.check import FILLED_FROM_DATA, GROUPS, OWN_MODEL_KEYS, UNGROUPED, check, suggest
from litlab.config.identity import filled_then, is_left_open, numeric
from litlab.config.objective import directions, objective_mode
from litlab.config.recorded import combine, compose_again, read_overrides, read_recorded, record
from litlab.config.run import Run, SweepJob, changed, restored, select

__all__ = [
    "FILLED_FROM_DATA",
    "GROUPS",
    "OWN_MODEL_KEYS",
    "UNGROUPED",
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
    "directions",
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
