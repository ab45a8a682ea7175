import shutil

import pytest
from scripts import finish, once, start
from sweep_folders import SWEEP


@pytest.fixture(scope="session")
def swept(tmp_path_factory):
    """Two learning rates and two seeds, and a learning rate at which training diverges."""
    arguments = [*SWEEP, "optimizer.lr=0.0001,0.003,1e30", "seed=1,2", "threads=1"]
    return once(tmp_path_factory, "sweep", lambda folder: finish(start("train.py", *arguments, folder=folder), folder))


@pytest.fixture
def copied(swept, tmp_path):
    shutil.copytree(swept.folder / "runs", tmp_path / "runs")
    return tmp_path
