"""The arguments of `python -m litlab.runs` and `python -m litlab.sweeps`. A mistake is one line."""

import argparse
import sys
from pathlib import Path
from typing import NoReturn


class OneLine(argparse.ArgumentParser):
    """argparse's parser, which otherwise prints how a command is used before it says what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Prints what is wrong, and ends."""
        print(f"error: {message}; {self.prog} --help says what there is", file=sys.stderr)
        sys.exit(2)


def folder(typed: str) -> Path:
    """A folder as it was typed. `Path("")` would be the current one."""
    if not typed.strip():
        raise argparse.ArgumentTypeError("it is empty, perhaps a shell variable that is not set: name a folder")
    return Path(typed)
