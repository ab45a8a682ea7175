"""The command `litlab`, which an installed litlab has: `litlab train data=mnist`, `litlab predict ckpt=latest ...`."""

import importlib.util
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import litlab
from litlab import console
from litlab.cli import completion
from litlab.cli.commands import predict, train
from litlab.config import suggest
from litlab.errors import ConfigError
from litlab.project import make_project


def new() -> None:
    """`litlab new FOLDER`."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("litlab new FOLDER    makes a small project that runs at once; its package has the name of the folder")
        sys.exit(0 if sys.argv[1:] in (["--help"], ["-h"]) else 2)
    if not sys.argv[1].strip():
        print("error: litlab new '': the name is empty: write litlab new FOLDER", file=sys.stderr)
        sys.exit(2)
    folder = Path(sys.argv[1])
    try:
        made = make_project(folder)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"made {folder}: {', '.join(str(path) for path in made)}")
    print(f"next: cd {folder} && litlab train experiment=first")


SCRIPTS: dict[str, Callable[[], None]] = {"train": train, "predict": predict, "new": new}
MODULES = {"sweeps": "what a sweep found: litlab sweeps FOLDER", "runs": "the runs in a folder"}
USAGE = """litlab trains and uses image models.

litlab train data=mnist model=mnist_cnn     train; litlab train --help shows all settings
litlab train -m optimizer.lr=0.001,0.01     a sweep
litlab train resume=latest                  go on with a run
litlab predict ckpt=latest input=dog.png    use a trained network; litlab predict --help
litlab new mylab                            make a project of your own that runs at once
"""


def main() -> None:
    """Calls the command that the first argument names."""
    name, *arguments = sys.argv[1:] or ["--help"]
    os.environ[console.INSTALLED] = "1"  # for the commands that litlab prints, in the processes it starts too
    modules = {name: line for name, line in MODULES.items() if importlib.util.find_spec(f"litlab.{name}.__main__")}
    if name in ("--help", "-h", "help"):
        print(USAGE + "".join(f"{f'litlab {name} --help':<44}{line}\n" for name, line in modules.items()), end="")
    elif name == "--version":
        print(f"litlab {litlab.__version__}")
    elif name in SCRIPTS:
        if name != "new" and (request := completion.asked(arguments)):
            completion.complete(request, sorted({*SCRIPTS, *modules}))
        sys.argv = [f"litlab {name}", *arguments]
        SCRIPTS[name]()
    elif name in modules:
        sys.argv = [f"litlab {name}", *arguments]
        runpy.run_module(f"litlab.{name}", run_name="__main__")
    else:
        known = [*SCRIPTS, *modules, "--help", "--version"]
        print(f"error: {name}: no such command; {suggest(name, known)}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
