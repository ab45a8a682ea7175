"""What a sweep found: a ranked table, `sweep.csv`, `sweep.png` and `sweep.html`, from the folders its jobs left.

python -m litlab.sweeps runs/mnist_mnist_cnn/sweep_2026-01-31_12-00-00
"""

import contextlib
import sys

from litlab import console
from litlab.arguments import OneLine, folder
from litlab.errors import one_line
from litlab.files import not_a_folder
from litlab.sweeps import print_report
from litlab.sweeps.jobs import check_sweep
from litlab.sweeps.stopping import how_to_go_on, is_interrupted, number_of_jobs
from litlab.sweeps.watch import watch

console.quieten()
console.one_line_warnings()
console.never_fail_to_encode()
console.draw_into_files()
summary, example = (__doc__ or "").strip().split("\n\n")
parser = OneLine("python -m litlab.sweeps", description=summary, epilog=example)
parser.add_argument("--watch", action="store_true", help="show the table while the sweep runs")
parser.add_argument("folder", type=folder, metavar="FOLDER", help="the folder of a sweep, finished or not")
asked = parser.parse_args()
try:
    if not asked.folder.is_dir():
        raise ValueError(f"{asked.folder}: {not_a_folder(asked.folder)}")
    check_sweep(asked.folder)
    if asked.watch:
        with contextlib.suppress(KeyboardInterrupt):
            watch(asked.folder)
    else:
        print_report(asked.folder, number_of_jobs(asked.folder))
        if is_interrupted(asked.folder):
            print(how_to_go_on(asked.folder))
except (ValueError, OSError) as error:
    print(f"error: {one_line(error)}", file=sys.stderr)
    sys.exit(2)
