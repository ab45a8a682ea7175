"""Says in one line what is wrong in an override that Hydra's grammar does not take."""

import re
import shlex

from hydra.errors import OverrideParseException

from litlab.cli.keys import Keys
from litlab.cli.settings import assignment
from litlab.errors import one_line

NEEDS_QUOTES = "it has characters that need quotes"
CLOSING = {"[": "]", "{": "}", "(": ")"}
QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""")
# Hydra's functions that a user of a sweep may have begun, and how they are written.
WRITTEN = {
    "interval": "interval(LOWEST,HIGHEST)",
    "range": "range(FIRST,END,STEP), where FIRST and STEP may be left out",
    "choice": "choice(ONE,OTHER)",
}


def explain_unreadable(error: OverrideParseException, keys: Keys) -> str:
    """What is wrong in an override, and what to type.

    Args:
        error: of Hydra's parser.
        keys: of the script.
    """
    override = str(error.override)
    key, _, value = override.partition("=")
    return f"{override}: {_mistake(key, value, keys) or _of_a_function(error, value) or _of_the_parser(error)}"


def _mistake(key: str, value: str, keys: Keys) -> str | None:
    """A mistake that shows in the text itself."""
    bare = QUOTED.sub("", value)
    if "'" in bare.replace("\\'", "") or '"' in bare.replace('\\"', ""):
        return "a quote is not closed" if re.fullmatch(r"['\"][^'\"]*", value) else NEEDS_QUOTES
    if value.endswith(","):
        return f"remove the comma: write {assignment(key, value.rstrip(','))}"
    if value.startswith(",") or ",," in bare:
        return f"one comma too many: write {assignment(key, re.sub(',+', ',', value.strip(',')))}"
    if unbalanced := _unbalanced(bare):
        return unbalanced
    if "=" in bare:
        option, dot, setting = value.partition(".")
        if keys.options(key) and option in keys.options(key) and dot:
            return f"these are two settings: write {key}={option} {shlex.quote(f'{key}.{setting}')}"
        return f"a setting has one =; if the other belongs to the value, write {assignment(key, repr(value))}"
    if re.search(r",\s*[\]})]", bare):
        return "remove the comma before the closing bracket"
    return None


def _unbalanced(text: str) -> str | None:
    """Which bracket is missing, or too many."""
    opened: list[str] = []
    for sign in text:
        if sign in CLOSING:
            opened.append(CLOSING[sign])
        elif sign in CLOSING.values() and (not opened or opened.pop() != sign):
            return f"there is a {sign} without {next(o for o, c in CLOSING.items() if c == sign)} before it"
    return f"{''.join(reversed(opened))} is missing" if opened else None


def _of_a_function(error: OverrideParseException, value: str) -> str | None:
    """What is wrong in `interval(0.1)`."""
    if " while evaluating " not in str(error) or error.__cause__ is None:
        return None
    name = value.partition("(")[0].strip()
    return f"write {WRITTEN[name]}" if name in WRITTEN else one_line(error.__cause__)


def _of_the_parser(error: OverrideParseException) -> str:
    if any(
        part in str(error) for part in ("LexerNoViableAlt", "no viable alternative", "token recognition", "expecting")
    ):
        return NEEDS_QUOTES
    return one_line(error)
