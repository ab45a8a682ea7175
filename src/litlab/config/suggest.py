"""Proposes a known name for one that is not known."""

import difflib
from collections.abc import Collection


def suggest(name: str, known: Collection[str]) -> str:
    """`did you mean ...?`, if one of the known names is close, and all known names.

    A name is close too if it is the beginning or the end of what was written, as `patch` of `patch_size`.
    """
    spelled = {str(option).lower().replace("-", "_"): option for option in known}
    written = name.lower().replace("-", "_")
    close = [spelled[s] for s in difflib.get_close_matches(written, spelled, n=1, cutoff=0.7)]
    close = close or [o for s, o in spelled.items() if f"_{written}_".startswith(f"_{s}_") or written.endswith(f"_{s}")]
    public = ", ".join(sorted(name for name in known if not name.startswith("_")))
    return (f"did you mean {close[0]}? " if close else "") + f"there is: {public}"
