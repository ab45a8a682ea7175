"""Writes and reads checkpoints. Nothing in a checkpoint is ever run.

`write` and `read` are for any checkpoint; `load` returns a network that is ready to use.
"""

from litlab.checkpoint.archive import copy, read, verify, write
from litlab.checkpoint.load import Trained, load
from litlab.checkpoint.loadable import NAMED, why_not_loadable
from litlab.checkpoint.plugin import PlainCheckpointIO
from litlab.checkpoint.record import FORMAT, Data, Named, record_of
from litlab.checkpoint.recovery import good_checkpoint, how_to_go_on, latest_good, whole_checkpoint
from litlab.checkpoint.trust import to_be_trusted
from litlab.checkpoint.weights import read_weights

__all__ = [
    "FORMAT",
    "NAMED",
    "Data",
    "Named",
    "PlainCheckpointIO",
    "Trained",
    "copy",
    "good_checkpoint",
    "how_to_go_on",
    "latest_good",
    "load",
    "read",
    "read_weights",
    "record_of",
    "to_be_trusted",
    "verify",
    "whole_checkpoint",
    "why_not_loadable",
    "write",
]
