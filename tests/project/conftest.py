import sys

import pytest
from hydra.core.global_hydra import GlobalHydra
from scripts import Finished

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
def litlab_here(monkeypatch, capfd):
    """Does what `litlab ARGUMENTS` does in a folder, in this process, which has imported everything."""

    def run(folder, *arguments: str) -> Finished:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["litlab", *arguments])
        capfd.readouterr()
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
        finally:
            GlobalHydra.instance().clear()
        return Finished(status, *capfd.readouterr(), folder)

    return run


def forget(folder) -> None:
    """Takes a project out of this process again."""
    sys.path[:] = [entry for entry in sys.path if entry != str(folder)]
    for name in [name for name in sys.modules if name.split(".")[0] == folder.name]:
        del sys.modules[name]
