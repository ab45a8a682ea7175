"""The loggers: an event file for TensorBoard, and a table for a spreadsheet.

Both can say how far they have written (`state_dict`) and go back there (`load_state_dict`). So a resumed run leaves the
curves of a run that was never interrupted. A full disk, or a folder that is away, does not end a training: what could
not be written waits in memory for the next try.
"""

from litlab.callbacks.loggers.metrics_csv import MetricsCSV
from litlab.callbacks.loggers.tensorboard import TensorBoard

__all__ = ["MetricsCSV", "TensorBoard"]
