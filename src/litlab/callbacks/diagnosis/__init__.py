"""The verdict: what a run's curves mean, in at most four sentences."""

from litlab.callbacks.diagnosis.collect import Diagnosis
from litlab.callbacks.diagnosis.rules import Evidence, verdict

__all__ = ["Diagnosis", "Evidence", "verdict"]
