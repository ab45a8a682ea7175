"""The config of a run: checks it, builds from it, records it, and says what identifies a run. Needs no torch."""

from litlab.config.allowed import allowed_values
from litlab.config.build import Chosen, blame, build, build_entries, class_of, option
from litlab.config.check import (
    BOUNDS,
    FILLED_FROM_DATA,
    MAY_BE_EMPTY,
    UNGROUPED,
    check,
    check_group,
    own_model_keys,
)
from litlab.config.groups import GROUPS
from litlab.config.hints import as_written
from litlab.config.identity import difference, filled_then, first_change, is_left_open, numeric
from litlab.config.objective import directions, objective_mode
from litlab.config.one_setting import check_one
from litlab.config.recorded import combine, compose_again, read_overrides, read_recorded, record, typed_overrides
from litlab.config.resolved import missing
from litlab.config.run import Run, SweepJob, changed, restored, select
from litlab.config.suggest import suggest
from litlab.config.swept import check_composed, check_swept, several
from litlab.config.unread import SWITCHES

__all__ = [
    "BOUNDS",
    "FILLED_FROM_DATA",
    "GROUPS",
    "MAY_BE_EMPTY",
    "SWITCHES",
    "UNGROUPED",
    "Chosen",
    "Run",
    "SweepJob",
    "allowed_values",
    "as_written",
    "blame",
    "build",
    "build_entries",
    "changed",
    "check",
    "check_composed",
    "check_group",
    "check_one",
    "check_swept",
    "class_of",
    "combine",
    "compose_again",
    "difference",
    "directions",
    "filled_then",
    "first_change",
    "is_left_open",
    "missing",
    "numeric",
    "objective_mode",
    "option",
    "own_model_keys",
    "read_overrides",
    "read_recorded",
    "record",
    "restored",
    "select",
    "several",
    "suggest",
    "typed_overrides",
]
