"""The one argument of a module that is started by `python -m`: a folder."""

import sys
from pathlib import Path


def folder_asked(usage: str | None, containing: str | None = None) -> Path:
    """The folder that the command line names. Otherwise, the program says how it is used, and ends.

    Args:
        usage: what `--help` prints.
        containing: a file that the folder must have; None: the folder may be made.
    """
    words = sys.argv[1:]
    if words in (["--help"], ["-h"]):
        print((usage or "").strip())
        sys.exit()
    if len(words) != 1 or words[0].startswith("-"):
        sys.exit(_mistake("name one folder", usage))
    folder = Path(words[0])
    if containing and not (folder / containing).is_file():
        sys.exit(_mistake(f"{folder}: has no {containing}", usage))
    if folder.exists() and not folder.is_dir():
        sys.exit(_mistake(f"{folder}: is no folder", usage))
    return folder


def _mistake(text: str, usage: str | None) -> int:
    example = (usage or "").strip().splitlines()[-1]
    print(f"error: {text}: {example}", file=sys.stderr)
    return 2
