import sys

import pytest

from litlab.cli.program import main
from litlab.project import make_project

NAME = "ownlab"  # of the package; no other test has one of this name


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A new project, as `litlab new ownlab` makes it."""
    folder = tmp_path_factory.mktemp("own") / NAME
    make_project(folder)
    yield folder
    forget(folder)


@pytest.fixture
def litlab_here(call_here):
    """Does what `litlab ARGUMENTS` does in a folder, in this process."""
    return lambda folder, *arguments: call_here(main, folder, "litlab", *arguments)


def forget(folder) -> None:
    """Takes a project out of this process again."""
    sys.path[:] = [entry for entry in sys.path if entry != str(folder)]
    for name in [name for name in sys.modules if name.split(".")[0] == folder.name]:
        del sys.modules[name]
