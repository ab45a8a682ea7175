"""The one way in which overrides and values are written, so that equal ones are equal texts."""

import re
from functools import cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

RESOLVER = re.compile(r"\$\{[^}]*:")  # a value that depends on more than the config: ${hydra:job.num}, ${oc.env:HOME}


def as_typed(override: str) -> str:
    """`nesterov=true` for `nesterov=True`, as Hydra's sweepers write what was typed as `true`."""
    return re.sub(r"(?<=[=\[,:])(True|False)(?=$|[\],}])", lambda match: match[0].lower(), override)


@cache
def as_value(override: str) -> str:
    """An override in the one way in which its value is written: `lr=0.001` for `lr=1e-3`, `a=true` for `a=True`."""
    if "${" in override:
        return override
    try:
        parsed = OverridesParser.create().parse_override(override)
        value, text = parsed.value(), parsed.get_value_element_as_str()
    except (HydraException, TypeError):  # what Hydra cannot read is compared as text
        return override
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        text = str(int(value))
    return as_typed(f"{override.partition('=')[0]}={text}")


def value_as_typed(value: Any) -> str:
    """A plain value of a config in that way: `[a,b]`, `null`, `1` for `1.0`."""
    return as_value(f"a={_in_an_override(value)}").partition("=")[2]


def _in_an_override(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_in_an_override(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_in_an_override, value)) + "]"
    if not isinstance(value, str):
        return "null" if value is None else str(value)
    return value if _stays(value) else QuotedString(value, Quote.single).with_quotes()


def _stays(text: str) -> bool:
    """Whether Hydra reads a text as itself, without quotes around it."""
    try:
        return bool(OverridesParser.create().parse_override(f"a={text}").value() == text)
    except (HydraException, TypeError):
        return False
