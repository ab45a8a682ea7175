"""A nested mapping as one flat mapping."""

from typing import Any


def leaves(node: Any) -> dict[tuple[str, ...], Any]:
    """Every value of a nested mapping, by its keys: `{"a": {"b": 1}}` becomes `{("a", "b"): 1}`.

    Lists, and mappings with nothing in them, are values.
    """
    flat: dict[tuple[str, ...], Any] = {}

    def walk(node: Any, path: tuple[str, ...]) -> None:
        if isinstance(node, dict) and node:
            for key, value in node.items():
                walk(value, (*path, str(key)))
        else:
            flat[path] = node

    walk(node, ())
    return flat
