"""Sweeps: starts jobs in their folders, stops them, goes on with them, and reports. Needs no torch."""

from litlab.sweeps.composing import COMPOSITION, JobNotComposed
from litlab.sweeps.folders import folder_name, has_begun
from litlab.sweeps.jobs import Job, Sweep, jobs_in, read
from litlab.sweeps.launchers import EXTRAS, jobs_at_once, launcher_name, needs_extra
from litlab.sweeps.pruning import compared_with_others, is_final, waits_after
from litlab.sweeps.stopping import STARTED_BY, is_told_to_save, note_refused, stop, stopped_with
from litlab.sweeps.table import print_report

__all__ = [
    "COMPOSITION",
    "EXTRAS",
    "STARTED_BY",
    "Job",
    "JobNotComposed",
    "Sweep",
    "compared_with_others",
    "folder_name",
    "has_begun",
    "is_final",
    "is_told_to_save",
    "jobs_at_once",
    "jobs_in",
    "launcher_name",
    "needs_extra",
    "note_refused",
    "print_report",
    "read",
    "stop",
    "stopped_with",
    "waits_after",
]
