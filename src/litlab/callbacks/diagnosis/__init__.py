"""The verdict: what the curves of a run mean, in at most four sentences.

evidence        what is known of a run, as plain numbers
curves          the smoothed loss curves
rules           from evidence to sentences, without torch and Lightning
weight_change   measures how much a step changes the weights
dead_units      counts the ReLUs that never fire
collect         the callback that collects the evidence
"""

from litlab.callbacks.diagnosis.collect import Diagnosis
from litlab.callbacks.diagnosis.evidence import Evidence, Setup
from litlab.callbacks.diagnosis.rules import BEFORE_TRAINING, PURE_FLOAT16, verdict

__all__ = ["BEFORE_TRAINING", "PURE_FLOAT16", "Diagnosis", "Evidence", "Setup", "verdict"]
