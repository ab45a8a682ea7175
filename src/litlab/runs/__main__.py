"""Lists the runs below a folder: name, when, data, network, status, objective, test.

python -m litlab.runs --sort objective
"""

import errno
import os
import sys
from pathlib import Path

from litlab import console
from litlab.arguments import OneLine, folder
from litlab.files import not_a_folder
from litlab.runs import FOLDER
from litlab.runs.listing import COLUMNS, as_json, as_table, in_order, runs_in

WIDTH = 1000  # columns in a pipe, more than any row has


def main() -> int:
    """Prints the list, and returns the exit status."""
    summary, example = (__doc__ or "").strip().split("\n\n")
    parser = OneLine("python -m litlab.runs", description=summary, epilog=example)
    parser.add_argument("folder", type=folder, nargs="?", default=Path(FOLDER), metavar="FOLDER", help="default: runs")
    parser.add_argument("--sort", choices=COLUMNS, default="when", help="values: the best first; default: when")
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument("--json", action="store_true", help="for other programs")
    console.never_fail_to_encode()
    asked = parser.parse_args()
    if not asked.folder.is_dir():
        print(f"error: {asked.folder}: {not_a_folder(asked.folder)}", file=sys.stderr)
        return 2
    if not os.access(asked.folder, os.R_OK | os.X_OK):
        print(f"error: {asked.folder}: cannot be read: {os.strerror(errno.EACCES)}", file=sys.stderr)
        return 2
    runs = in_order(runs_in(asked.folder), asked.sort, asked.reverse)
    try:
        if asked.json:
            print(as_json(runs))
        elif runs:
            width = console.console.width if sys.stdout.isatty() else WIDTH
            console.Terminal(**console.PLAIN, width=width).print(as_table(runs, width))
        else:
            print(f"no runs in {asked.folder}")
    except BrokenPipeError:  # python -m litlab.runs --json | head
        console.leave_standard_output()
    except OSError as error:  # python -m litlab.runs > /dev/full
        print(f"error: the list cannot be written: {error.strerror}", file=sys.stderr)
        console.leave_standard_output()
        return 1
    console.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
