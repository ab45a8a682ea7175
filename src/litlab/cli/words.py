"""Arguments that are no `key=value`: each gets one line that says what to type."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.errors import HydraException

from litlab.cli.keys import Keys
from litlab.cli.other_words import instead
from litlab.cli.settings import assignment
from litlab.console import listed, typed

# Options of Hydra that are followed by a word.
TAKE_A_WORD = (
    *("-c", "--cfg", "-p", "--package", "-cp", "--config-path", "-cn", "--config-name", "-cd", "--config-dir"),
    *("--experimental-rerun", "-i", "--info"),
)
QUOTES = "'\"`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"  # straight, and those that a word processor makes
OVERRIDE = re.compile(r"~?[+]{0,2}[\w@/.:$-]+=|~[\w@/.:-]+$")


def check_words(arguments: Sequence[str], keys: Keys) -> None:
    """Refuses what is neither an option nor an override.

    Raises:
        HydraException: saying what to type.
    """
    words = list(arguments)
    for place, word in _plain_words(words):
        if OVERRIDE.match(word):
            continue
        raise HydraException(_explained(word, words[place + 1 : place + 3], words[:place], keys))


def _plain_words(arguments: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The arguments that are neither options nor their values, with their places."""
    for place, word in enumerate(arguments):
        if not word.startswith("-") and (place == 0 or arguments[place - 1] not in TAKE_A_WORD):
            yield place, word


def _explained(word: str, after: Sequence[str], before: Sequence[str], keys: Keys) -> str:
    """What to type in place of a word.

    Args:
        after: the next two arguments.
        before: the arguments before it.
    """
    if not word.strip():
        return "an empty argument, perhaps of a shell variable that is not set: leave it out"
    unquoted = word.strip().strip(QUOTES)
    if unquoted != word and OVERRIDE.match(unquoted):
        return f"{word}: write {shlex.quote(unquoted)}, without quotes or spaces around it"
    if spaced := re.fullmatch(r"\s*(\S+?)\s*=\s*(.*?)\s*", word):
        return f"{word}: write {assignment(spaced[1].strip(), spaced[2])}, without spaces around ="
    if before and before[-1].endswith(",") and "=" in before[-1]:
        return f"{before[-1]} {word}: write {before[-1]}{word}, without a space after the comma"
    if before and before[-1].endswith("=") and before[-1] != "=":
        return f"{before[-1]} {word}: write {assignment(before[-1][:-1], word)}, without a space after ="
    if list(after[:1]) == ["="] or (after and after[0].startswith("=")):
        value = after[0][1:] or (after[1] if len(after) > 1 else None)
        return f"{word} =: write {assignment(word, value)}, without spaces around ="
    return _word_alone(word, keys)


def _word_alone(word: str, keys: Keys) -> str:
    if options := keys.options(word):
        return f"{word}: write {word}=OPTION; there is: {', '.join(options)}"
    if group := keys.group_of(word):
        return f"{word}: write {group}={word}"
    if file_key := _takes_file(word, keys):
        return f"{word}: write {assignment(file_key, word)}"
    if known := instead(word, None, keys):
        return f"{word}: write {known}"
    if script := keys.other_script(word):
        return f"{word}: it is for {typed(script)}; --help lists the settings that there are here"
    if meant := keys.meant(word):
        return f"{word}: write {meant[0]}=VALUE"
    if having := keys.options_with(word):
        return (
            f"{word}: it is a setting of {listed(having, most=4)}; --help {having[0].partition('=')[0]} explains them"
        )
    return f"{word}: every argument is a setting and its value, written SETTING=VALUE; --help lists them"


def _takes_file(word: str, keys: Keys) -> str | None:
    """The setting for which a user names a file or a folder alone."""
    path = Path(word).expanduser()
    if not path.exists() and not path.suffix:
        return None
    if path.suffix == ".ckpt" or (path / ".hydra").is_dir():
        return next(key for key in ("ckpt", "resume") if key in keys.all)
    if "input" in keys.all:
        return "input"
    return "data.data_dir" if path.is_dir() else None
