"""What a sweep found: a ranked table, `sweep.csv` and `sweep.png`, from the folders its jobs left.

python -m litlab.sweeps runs/mnist_mnist_cnn/sweep_2026-01-31_12-00-00
"""

import argparse
import sys
from pathlib import Path

from litlab import console
from litlab.sweeps import print_report

console.quieten()
console.draw_into_files()
summary, example = (__doc__ or "").strip().split("\n\n")
parser = argparse.ArgumentParser("python -m litlab.sweeps", description=summary, epilog=example)
parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder of a sweep, finished or not")
try:
    print_report(parser.parse_args().folder)
except (ValueError, OSError) as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
