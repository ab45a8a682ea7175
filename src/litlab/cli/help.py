"""The list of options that `--help` shows."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf


def options(folders: Sequence[Path], config_name: str) -> str:
    """Each group of a config with its options, and the first comment in the file of each option.

    Args:
        folders: of configs, in the order in which Hydra looks into them.
        config_name: such as `train`.
    """
    lines = []
    main = next(file for conf in folders if (file := conf / f"{config_name}.yaml").is_file())
    defaults = OmegaConf.load(main).defaults
    chosen = [key for entry in defaults if entry != "_self_" for key in entry]
    for group in sorted(key for key in chosen if "hydra" not in key):
        lines.append(f"{group}:")
        files = {file.stem: file for conf in reversed(folders) for file in (conf / group).glob("*.yaml")}
        lines += [f"  {name:<20} {described(file)}" for name, file in sorted(files.items())]
    return "\n".join(lines) + "\n"


def described(file: Path) -> str:
    """The first comment of a config file that is not for Hydra (`# @package _global_`)."""
    comments = (line[1:].strip() for line in file.read_text().splitlines() if line.startswith("#"))
    return next((comment for comment in comments if not comment.startswith("@")), "")
