"""What a run shows on the terminal: a progress bar, a line for each epoch, and the table of layers."""

from litlab.callbacks.terminal.progress import Progress, part_of_epoch
from litlab.callbacks.terminal.summary import ModelSummary, groups_table, summary_table

__all__ = ["ModelSummary", "Progress", "groups_table", "part_of_epoch", "summary_table"]
