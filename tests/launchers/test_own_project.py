"""Every launcher, and the ranks of a distributed run, find the configs and the package of a project of one's own."""

import importlib.util
import json
import subprocess
import sys

import pytest
from litlab_command import call

from litlab.project import make_project

pytestmark = pytest.mark.slow

LAUNCHERS = {
    "joblib": ["hydra.launcher.n_jobs=2"],
    "submitit_local": ["hydra.launcher.timeout_min=5"],
    "ray": ["+hydra.launcher.ray.init.num_cpus=2"],
}
FIRST = ("experiment=first", "callbacks.report.enabled=false", "data.train_limit=64", "trainer.max_epochs=1")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines") / "ownlab"
    make_project(folder)
    return folder


def statuses(project, sweep: str) -> list[str]:
    return [json.loads(path.read_text())["status"] for path in project.glob(f"runs/{sweep}/*/result.json")]


@pytest.mark.parametrize("launcher", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in LAUNCHERS])
def test_jobs_in_other_processes(project, launcher):
    name = {"submitit_local": "submitit"}.get(launcher, launcher)
    if importlib.util.find_spec(f"hydra_plugins.hydra_{name}_launcher") is None:
        pytest.skip(f"the launcher {launcher} is not installed")
    options = [f"hydra/launcher={launcher}", *LAUNCHERS[launcher], f"hydra.sweep.dir=runs/{launcher}"]
    done = call(project, "train", "-m", *FIRST, "trainer=cpu", "seed=1,2", *options)
    assert done.returncode == 0, done.stderr
    assert statuses(project, launcher) == ["completed"] * 2


def test_ranks_that_litlab_starts(project):
    done = call(project, "train", *FIRST, "trainer=ddp_cpu", "hydra.run.dir=runs/ddp/one")
    assert done.returncode == 0, done.stderr
    assert statuses(project, "ddp") == ["completed"]
    done = call(project, "predict", "ckpt=runs/ddp/one", "evaluate=test", "trainer=ddp_cpu")
    assert done.returncode == 0, done.stderr


def test_ranks_that_torchrun_starts(project):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    arguments = ["train", *FIRST, "trainer=ddp_cpu", "hydra.run.dir=runs/torchrun/one"]
    command = [*torchrun, "-m", "litlab.cli.program", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert statuses(project, "torchrun") == ["completed"]
