"""The Tab key completes `litlab train` and `litlab predict`. Hydra's own script knows only programs of one word."""

import os
import re
import sys
from collections.abc import Sequence

BASH = """_litlab_complete() {
    local line=${COMP_LINE:0:COMP_POINT} words word choices kept
    read -ra words <<< "$line"
    [[ $line == *" " ]] && words+=("")
    word=${words[${#words[@]}-1]}
    if (( ${#words[@]} <= 2 )); then
        choices="COMMANDS"
    elif [[ ${words[1]} == train || ${words[1]} == predict ]]; then
        choices=$(COMP_LINE=$line COMP_POINT=${#line} "${words[0]}" "${words[1]}" -sc query=bash 2> /dev/null)
    fi
    COMPREPLY=($(compgen -W "$choices" -- "$word"))
    if [[ $COMP_WORDBREAKS == *=* ]]; then  # bash then takes what follows `=` for a word
        kept=${word%"${word##*=}"}
        COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    fi
}
complete -o nospace -o default -F _litlab_complete litlab"""
UNINSTALL = "complete -r litlab; unset -f _litlab_complete"


def asked(arguments: Sequence[str]) -> str | None:
    """`install=bash` of `-sc install=bash`; None if nothing about completion is asked."""
    if len(arguments) == 2 and arguments[0] in ("-sc", "--shell-completion"):
        return arguments[1]
    return None


def complete(request: str, commands: Sequence[str]) -> None:
    """Prints the script that `request` asks for, and ends. Before a query, hides the command of litlab from Hydra.

    Args:
        request: install, uninstall or query, with a shell: `install=bash`.
        commands: of litlab.
    """
    action, _, shell = request.partition("=")
    if shell != "bash" or action not in ("install", "uninstall", "query"):
        print(f"error: -sc {request}: there is install=bash and uninstall=bash", file=sys.stderr)
        sys.exit(2)
    if action == "query":
        os.environ["COMP_LINE"] = re.sub(r"^\s*(\S+)\s+\S+\s*", r"\1 ", os.environ.get("COMP_LINE", ""))
        return
    print(BASH.replace("COMMANDS", " ".join(commands)) if action == "install" else UNINSTALL)
    sys.exit(0)
