"""The list of options that `--help` shows."""

from pathlib import Path

from omegaconf import OmegaConf


def options(conf: Path, config_name: str) -> str:
    """Each group of a config with its options, and the first comment in the file of each option."""
    lines = []
    defaults = OmegaConf.load(conf / f"{config_name}.yaml").defaults
    chosen = [key for entry in defaults if entry != "_self_" for key in entry]
    for group in sorted(key for key in chosen if "hydra" not in key):
        lines.append(f"{group}:")
        lines += [f"  {file.stem:<20} {described(file)}" for file in sorted((conf / group).glob("*.yaml"))]
    return "\n".join(lines) + "\n"


def described(file: Path) -> str:
    """The first comment of a config file that is not for Hydra (`# @package _global_`)."""
    comments = (line[1:].strip() for line in file.read_text().splitlines() if line.startswith("#"))
    return next((comment for comment in comments if not comment.startswith("@")), "")
