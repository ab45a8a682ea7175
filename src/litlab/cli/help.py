"""What `--help` lists: each group with its options, and what each is."""

from pathlib import Path

from omegaconf import OmegaConf


def options(conf: Path, config_name: str) -> str:
    """Each group of a config with its options and what each is: the first comment of its file."""
    lines = []
    defaults = OmegaConf.load(conf / f"{config_name}.yaml").defaults
    chosen = [key for entry in defaults if entry != "_self_" for key in entry]
    for group in sorted(key for key in chosen if "hydra" not in key):
        lines.append(f"{group}:")
        lines += [f"  {file.stem:<20} {described(file)}" for file in sorted((conf / group).glob("*.yaml"))]
    return "\n".join(lines) + "\n"


def described(file: Path) -> str:
    """What a config file says of itself, in its first comment that is not an instruction to Hydra."""
    comments = (line[1:].strip() for line in file.read_text().splitlines() if line.startswith("#"))
    return next((comment for comment in comments if not comment.startswith("@")), "")
