"""The installed command `litlab`, in a process of its own."""

import subprocess
import sys
from pathlib import Path

# -P: like the installed command, whose own folder, and not the current one, is the first that Python imports from.
LITLAB = [sys.executable, "-P", "-m", "litlab.cli.program"]


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Does what `litlab ARGUMENTS` does in a folder."""
    return subprocess.run([*LITLAB, *arguments], cwd=folder, capture_output=True, text=True)
