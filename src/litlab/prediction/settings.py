"""Settings of `conf/predict.yaml` that predict, evaluate and export share."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from litlab.checkpoint import Trained
from litlab.config import Run, as_written
from litlab.console import say
from litlab.distributed import ranks_wanted
from litlab.errors import ConfigError
from litlab.files import not_a_folder
from litlab.machine import is_cpu


def trust_list(run: Run) -> list[str]:
    """The packages that `trust` names, or those that the user's own folder trusts. They can be imported then.

    Raises:
        ConfigError: if one is no name of a package.
    """
    of_project = run.project.trusted if run.project else []
    packages = package_names(of_project if run.cfg.trust is None else run.cfg.trust)
    if run.project:
        run.project.make_trusted_importable(packages)
    return packages


def package_names(trust: Any) -> list[str]:
    """The names of packages in `trust`: one name, or a list of them.

    Raises:
        ConfigError: if it is anything else.
    """
    names = list(trust) if isinstance(trust, Sequence) and not isinstance(trust, str | bytes) else [trust]
    if bad := [name for name in names if not isinstance(name, str) or not name.replace(".", "").isidentifier()]:
        raise ConfigError(f"trust={as_written(bad[0])}: must be the name of a package, or a list of them")
    return names


def output_path(run: Run, default: str) -> Path:
    """The folder that `output` names. It need not exist.

    Raises:
        ConfigError: if it is empty, or a file.
    """
    output = default if run.cfg.output is None else str(run.cfg.output)
    if not output.strip():
        raise ConfigError("output= is empty: name a folder, or leave it out")
    folder = Path(output).expanduser()
    if blocking := next((path for path in (folder, *folder.parents) if path.is_file()), None):
        raise ConfigError(f"output={folder}: {'' if blocking == folder else f'{blocking} '}{not_a_folder(blocking)}")
    return folder


def output_folder(run: Run, default: str) -> Path:
    """The folder that `output` names. It is made if it does not exist.

    Raises:
        ConfigError: if it cannot be made.
    """
    folder = output_path(run, default)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"output={folder}: {error.strerror}") from error
    return folder


def written_to(folder: Path, files: Iterable[str], replaced: bool) -> str:
    """The line that says where the results are, and whether those of an earlier call were there."""
    return f"written to {folder}{', in place of earlier files' * replaced}: {', '.join(files)}"


@contextlib.contextmanager
def made_folder(run: Run, default: str) -> Iterator[Path]:
    """Yields the folder that `output` names. If the block fails, the folders that were made for it are removed again.

    Raises:
        ConfigError: if it cannot be made.
    """
    path = output_path(run, default)
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    folder = output_folder(run, default)
    try:
        yield folder
    except BaseException:
        with contextlib.suppress(OSError):  # one is not empty if something was written to it nevertheless
            for made in new:
                made.rmdir()
        raise


def device(run: Run) -> torch.device:
    """The device on which one process predicts.

    Raises:
        ConfigError: if `trainer` asks for several devices, or for a GPU that is not there.
    """
    if ranks_wanted(run.cfg.trainer) > 1:
        raise ConfigError("trainer.devices: pictures are predicted on one device; evaluate= can use several")
    accelerator, devices = run.cfg.trainer.accelerator, run.cfg.trainer.devices
    if is_cpu(accelerator):
        return torch.device("cpu")
    current = torch.accelerator.current_accelerator()
    assert current is not None
    return torch.device(current.type, 0 if isinstance(devices, int | str) else devices[0])


def print_network(trained: Trained) -> None:
    """Prints which checkpoint was chosen, and how good its network was in validation."""
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in trained.metrics.items() if name.startswith("val/"))
    say(
        f"{trained.path}: {trained.architecture.name.rpartition('.')[2]} trained on {trained.data.name}"
        + (f" ({metrics})" if metrics else "")
    )
