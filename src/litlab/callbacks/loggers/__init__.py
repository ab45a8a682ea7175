"""Where the logged scalars go: an event file for TensorBoard, a table for a spreadsheet.

Both can say how far they have written (`state_dict`) and go back there (`load_state_dict`), so that a resumed run
leaves the curves of a run that was never interrupted. A disk that is full, or a folder that is away, does not end a
training: what could not be written waits in memory for the next time.
"""

from litlab.callbacks.loggers.metrics_csv import MetricsCSV
from litlab.callbacks.loggers.tensorboard import TensorBoard

__all__ = ["MetricsCSV", "TensorBoard"]
