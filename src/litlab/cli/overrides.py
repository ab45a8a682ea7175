"""The command line, before Hydra reads it."""

import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from litlab.cli.keys import Keys, is_multirun
from litlab.cli.proposals import proposal
from litlab.cli.recipes import refuse_recipes
from litlab.cli.words import TAKE_A_WORD, check_words
from litlab.config import BOUNDS, GROUPS, MAY_BE_EMPTY, several, suggest
from litlab.console import typed

# The options of Hydra's command line.
SHORT = ("-h", "-c", "-p", "-r", "-m", "-sc", "-cp", "-cn", "-cd", "-i")
LONG = (
    "--help",
    "--hydra-help",
    "--version",
    "--cfg",
    "--resolve",
    "--package",
    "--run",
    "--multirun",
    "--shell-completion",
    "--config-path",
    "--config-name",
    "--config-dir",
    "--experimental-rerun",
    "--info",
)
# Those that no word may follow.
ALONE = (
    *("-h", "-r", "-m", "-sc", "--help", "--hydra-help", "--version", "--resolve"),
    *("--run", "--multirun", "--shell-completion"),
)
SHOWN = dict.fromkeys(("-c", "--cfg"), ("job", "hydra", "all"))  # the words that may follow these options


OF_DATA = ("data.data_dir", "data.annotations", "data.file", "data.label_separator")
# For each script, the settings that hold the name of a file, or signs.
AS_TYPED = {"train": (*OF_DATA, "model.weights"), "predict": ("ckpt", "input", "output", *OF_DATA)}


def literal(argument: str, config_name: str) -> str:
    """`input=photo (1).png` with its value in quotes, so that Hydra takes the file's name as it was typed.

    Args:
        argument: of the command line, and not of a sweep, where a comma separates values. A value that has quotes
            already, or is a list, stays as it is.
        config_name: of the script.
    """
    key, _, value = argument.partition("=")
    paths = AS_TYPED.get(config_name, ())
    written_for_hydra = value in ("", "null") or re.fullmatch(r"\[.*\]|'.*'|\".*\"", value)
    if key not in paths or (written_for_hydra and not (value and Path(value).exists())):
        return argument
    value = value.replace("${", "\\${")  # not an interpolation
    return f"{key}={_quoted(value)}"


# Settings of a model that litlab itself reads, where the config of the network does not have them.
OF_EVERY_MODEL = ("model.freeze", "model.head")


def of_every_model(argument: str) -> str:
    """`++model.freeze=backbone` for `model.freeze=backbone`, so that Hydra takes it for each network."""
    return f"++{argument}" if argument.partition("=")[0] in OF_EVERY_MODEL else argument


# What is in quotes, or a word between the characters that separate values.
WORD = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^\s,()\[\]{}:='"](?:[^,()\[\]{}:='"]*[^\s,()\[\]{}:='"])?""")


def letters_of_all_languages(argument: str) -> str:
    """`name='größe'` for `name=größe`: in quotes, Hydra takes letters that are not English ones."""
    key, is_override, value = argument.partition("=")
    if value.isascii() or "${" in value or key == "resume":  # which Hydra does not read
        return argument

    def readable(match: re.Match[str]) -> str:
        word = match[0]
        return word if word.isascii() or word[0] in "'\"" else _quoted(word)

    return f"{key}{is_override}{WORD.sub(readable, value)}"


def _quoted(text: str) -> str:
    """A text in quotes, as Hydra reads it."""
    quoted = re.sub(r"(\\*)(')", r"\1\1\\\2", text)
    ending = len(quoted) - len(quoted.rstrip("\\"))
    return f"'{quoted}{quoted[len(quoted) - ending :]}'"


def options_first(arguments: Sequence[str]) -> list[str]:
    """The same command line with the options and their words at its beginning, as Hydra needs them."""
    options, rest, words = [], [], iter(arguments)
    for word in words:
        if not word.startswith("-"):
            rest.append(word)
            continue
        options.append(word)
        if word in TAKE_A_WORD:
            options += [following for following in [next(words, None)] if following is not None]
    return [*options, *rest]


def without_config_dir(arguments: Sequence[str]) -> tuple[list[str], list[Path]]:
    """The command line without Hydra's `--config-dir FOLDER`, and the folders that it names."""
    rest, folders, words = [], [], iter(arguments)
    for word in words:
        name, _, folder = word.partition("=")
        if name in ("--config-dir", "-cd"):
            folders.append(Path(folder or next(words, "")).expanduser().absolute())
        else:
            rest.append(word)
    return rest, folders


def check_options(arguments: Sequence[str], keys: Keys) -> None:
    """Refuses options that Hydra does not know. Hydra itself would print its usage over several lines.

    Raises:
        HydraException: naming the setting that is meant, or the options that there are.
    """
    for place, argument in enumerate(arguments):
        name, given, value = argument.partition("=")
        if not name.startswith("-"):
            continue
        if given and name in ALONE:
            raise HydraException(f"{argument}: write {name}, and nothing behind it")
        is_short = not name.startswith("--") and name.startswith(SHORT)  # also `-cjob`, for `-c job`
        is_begun = any(option.startswith(name) for option in (*LONG, *SHORT))  # also `--multi`, for `--multirun`
        if not is_short and not is_begun:
            following = [word for word in arguments[place + 1 : place + 2] if not re.match(r"-\D|[^=]+=", word)]
            typed_value = value if given else next(iter(following), None)
            if proposed := proposal(name.lstrip("-"), typed_value, keys, close=False):
                raise HydraException(f"{name}: settings have no dashes: {proposed}")
            if script := keys.other_script(name.lstrip("-")):
                raise HydraException(
                    f"{name}: it is for {typed(script)}; --help lists the settings that there are here"
                )
            raise HydraException(f"{name}: no such option; {suggest(name, LONG)}")


def check_words_of_options(arguments: Sequence[str]) -> None:
    """Refuses an option without the word that belongs to it, or with a wrong one.

    Raises:
        HydraException: naming the words that there are.
    """
    for place, argument in enumerate(arguments):
        name, given, word = argument.partition("=")
        following = word if given else next(iter(arguments[place + 1 :]), None)
        if name in SHOWN and following not in SHOWN[name]:
            has = "" if following is None else f" {following}"
            raise HydraException(f"{name}{has}: must be followed by one of {', '.join(SHOWN[name])}")
        if name in TAKE_A_WORD and name not in ("-i", "--info") and following is None:
            raise HydraException(f"{name}: must be followed by a word")


def refuse_mistakes(arguments: Sequence[str], keys: Keys, folders: Sequence[Path]) -> None:
    """Refuses what Hydra would explain badly, of a command line or of the overrides in a notebook.

    Args:
        arguments: without the options that the script itself reads.
        keys: of the script, with the arguments.
        folders: in which Hydra looks for configs.

    Raises:
        HydraException: saying what to write.
    """
    check_words(arguments, keys)
    refuse_unused(arguments, keys)
    refuse_without(arguments, keys)
    refuse_values = refuse_in_sweeps if is_multirun(arguments) else refuse_several
    refuse_values(arguments)
    refuse_null(arguments, folders)
    refuse_recipes(arguments, keys, folders)


def refuse_unused(arguments: Sequence[str], keys: Keys) -> None:
    """Refuses a setting that the script would take with its group, and not use.

    Raises:
        HydraException: naming the setting.
    """
    for argument in arguments:
        if keys.leaves_out(key := argument.lstrip("+~").partition("=")[0]):
            raise HydraException(f"{key}: it is for {typed('train')}; {typed(keys.config_name)} does not use it")


def is_sweep(override: str) -> bool:
    """Whether an override has several values, such as `seed=1,2`."""
    try:
        return any(parsed.is_sweep_override() for parsed in OverridesParser.create().parse_overrides([override]))
    except HydraException:  # Hydra says later what is wrong with it
        return False


def refuse_in_sweeps(arguments: Sequence[str]) -> None:
    """Refuses what a sweep would do once for each job, or leave out silently.

    Raises:
        HydraException: naming the setting.
    """
    given: dict[str, str] = {}
    for argument in arguments:
        key, sign, value = argument.lstrip("+").partition("=")
        if not sign or argument.startswith("-"):
            continue
        if key == "lr_find" and "true" in value.lower().split(","):
            raise HydraException("lr_find=true: not in a sweep; leave out -m")
        if key in BOUNDS and (split := next((v for v in value.split(",") if re.fullmatch(r"0\d+", v)), None)):
            raise HydraException(f"{argument}: no number begins so: a decimal number has a point: 0.{split}")
        if key in given and is_sweep(given[key]) and not is_sweep(argument):
            raise HydraException(f"{given[key]} and {argument}: the second would end the sweep; leave one out")
        given[key] = argument


def refuse_several(arguments: Sequence[str]) -> None:
    """Refuses `optimizer.lr=0.1:0.5` and `optimizer.lr=[0.1,0.5]` where there is one run, which takes one number.

    Raises:
        HydraException: saying how a sweep is written.
    """
    for argument in arguments:
        key, sign, value = argument.partition("=")
        if sign and key in BOUNDS and (written := several(key, value)):
            raise HydraException(f"{argument}: one run takes one value; add -m for a sweep{written}")


def refuse_without(arguments: Sequence[str], keys: Keys) -> None:
    """Refuses `~data`: a run cannot do without some groups, and Hydra would fail over the name of its folder.

    Raises:
        HydraException: naming the options of the group.
    """
    for argument in arguments:
        group = argument.lstrip("~").partition("=")[0]
        if not argument.startswith("~") or group not in GROUPS or group in MAY_BE_EMPTY:
            continue
        if keys.config_name == "train" and (options := keys.options(group)):
            raise HydraException(f"{argument}: a run needs {group}=OPTION; there is: {', '.join(options)}")


def help_asked(arguments: Sequence[str]) -> list[str]:
    """`optimizer` of `--help optimizer`, and of `--help optimizer=sgd`: what the user asks to explain."""
    places = [place for place, word in enumerate(arguments) if word in ("-h", "--help")]
    if not places:
        return []
    words = [word for word in arguments if not word.startswith("-") and "=" not in word]
    after = [key for key, sign, _ in (it.partition("=") for it in arguments[places[0] + 1 :][:1]) if sign]
    return words or [key for key in after if not key.startswith("-")]


# What Hydra reads as no text: null, true, false and numbers.
NO_NAME = re.compile(r"null|true|false|[+-]?(nan|inf|[\d_]*\.?[\d_]+\.?(e[+-]?\d+)?)", re.IGNORECASE)


def refuse_null(arguments: Sequence[str], folders: Sequence[Path]) -> None:
    """Refuses `GROUP=null`, `GROUP=1.5` and `GROUP=`. Hydra's own errors name neither the key nor the options.

    Raises:
        HydraException: naming the options.
    """
    for argument in arguments:
        group, sign, option = argument.partition("=")
        known = {file.stem for conf in folders for file in (conf / group).glob("*.yaml")}
        if known and sign and option not in known and (not option or NO_NAME.fullmatch(option)):
            what = "no such option" if option else "the option is missing"
            raise HydraException(f"{argument}: {what}; {suggest(option, known)}")
