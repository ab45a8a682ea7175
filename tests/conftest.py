import pytest
from scripts import Finished, finish, start


@pytest.fixture
def train(tmp_path):
    """Calls `python train.py ARGUMENTS` in an empty folder."""

    def run(*arguments: str, **environment: str) -> Finished:
        return finish(start("train.py", *arguments, folder=tmp_path, **environment), tmp_path)

    return run
