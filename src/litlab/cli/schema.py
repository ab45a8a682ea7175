"""Writes a JSON schema for each group of configs, so that an editor completes and checks YAML files.

python -m litlab.cli.schema .schemas
"""

import json
from pathlib import Path
from typing import Any

import yaml

from litlab.cli.folder_asked import folder_asked
from litlab.cli.help import groups
from litlab.cli.settings import ACROSS, settings_of
from litlab.config.schema import Schema, by_target, schema_of_general, schema_of_target
from litlab.project import CONF

DRAFT = "http://json-schema.org/draft-07/schema#"
SWITCHES: dict[str, Schema] = {
    "enabled": {"type": "boolean", "description": "false switches it off"},
    "in_sweeps": {"type": "boolean", "description": "true: for each job of a sweep, too"},
}


def schemas(conf: Path) -> dict[str, Schema]:
    """The schema of each group by its name. A recipe has the settings of all of them.

    Args:
        conf: the folder of configs.
    """
    known = [group for group in groups([conf], "train") if group not in ACROSS]
    of_groups = {group: _of_group(conf / group) for group in known}
    general = {setting.key: setting.words for setting in settings_of(conf / "train.yaml")}
    recipe = schema_of_general(general)
    recipe["properties"] |= {group: {"type": ["object", "null"]} for group in known}
    return {
        name: {"$schema": DRAFT, **schema} for name, schema in {**of_groups, **dict.fromkeys(ACROSS, recipe)}.items()
    }


def write(folder: Path, conf: Path = CONF) -> dict[str, str]:
    """Writes the schemas; returns which files each is for, as the editors' setting `yaml.schemas` has it."""
    folder.mkdir(parents=True, exist_ok=True)
    for group, schema in schemas(conf).items():
        (folder / f"{group}.json").write_text(json.dumps(schema, indent=1) + "\n")
    return {f"{folder.as_posix()}/{group}.json": f"conf/{group}/*.yaml" for group in schemas(conf)}


def _of_group(folder: Path) -> Schema:
    """The schema of the options in a folder."""
    targets: dict[str, Schema] = {}
    entries: dict[str, Schema] = {}
    for file in sorted(folder.glob("*.yaml")):
        words = {setting.key: setting.words for setting in settings_of(file, folder.name)}
        content: dict[str, Any] = yaml.safe_load(file.read_text("utf-8")) or {}
        if "_target_" in content:
            targets[content["_target_"]] = _of_node(content, folder.name, words, {})
        for name, node in content.items():
            if isinstance(node, dict) and "_target_" in node:
                entry = _of_node(
                    node, f"{folder.name}.{name}", words, {key: SWITCHES[key] for key in SWITCHES & node.keys()}
                )
                entries[name] = by_target({node["_target_"]: entry}) | {
                    "description": words.get(f"{folder.name}.{name}", "")
                }
    whole = by_target(targets)
    return whole | {"properties": {**whole["properties"], **entries}}


def _of_node(node: dict[str, Any], prefix: str, words: dict[str, str], more: Schema) -> Schema:
    null = [key for key, value in node.items() if value is None]
    own = {key.removeprefix(f"{prefix}."): text for key, text in words.items()}
    return schema_of_target(node["_target_"], prefix, own, null, more)


if __name__ == "__main__":
    print(json.dumps({"yaml.schemas": write(folder_asked(__doc__))}, indent=2))
