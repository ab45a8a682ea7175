"""The commands: the command line, signals, errors in one line, and `--help`. Needs no torch."""

from litlab.cli.commands import predict, train
from litlab.cli.overrides import literal
from litlab.cli.script import script
from litlab.cli.signals import signals_wait

__all__ = ["literal", "predict", "script", "signals_wait", "train"]
