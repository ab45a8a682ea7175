"""Proposes a known name for one that is not known."""

import difflib
from collections.abc import Collection


def suggest(name: str, known: Collection[str]) -> str:
    """`did you mean ...?`, if one of the known names is close, and all known names."""
    spelled = {str(option).lower().replace("-", "_"): option for option in known}
    close = [spelled[s] for s in difflib.get_close_matches(name.lower().replace("-", "_"), spelled, n=1, cutoff=0.7)]
    public = ", ".join(sorted(name for name in known if not name.startswith("_")))
    return (f"did you mean {close[0]}? " if close else "") + f"there is: {public}"
