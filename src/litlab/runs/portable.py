"""Keeps absolute paths out of run folders, so that they can be moved or given away."""

from pathlib import Path

import yaml

from litlab.files import atomic


def remove_absolute_paths(recorded: Path) -> None:
    """Replaces the absolute paths in a file that Hydra has written.

    Args:
        recorded: `hydra.yaml` or `multirun.yaml`. Does nothing if there is no such file.
    """
    if not recorded.exists() or "\n    cwd: .\n" in (text := recorded.read_text()):
        return
    content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # OmegaConf.load takes ten times as long
    runtime = content["hydra"]["runtime"]
    runtime["cwd"] = runtime["output_dir"] = "."
    for source in runtime["config_sources"]:
        if source["schema"] == "file":
            source["path"] = Path(source["path"]).name
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    with atomic(recorded) as temporary:
        temporary.write_text(yaml.dump(content, Dumper=dumper, sort_keys=False, width=10_000))
