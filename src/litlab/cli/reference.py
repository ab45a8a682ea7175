"""The page with all settings, `src/litlab/config/README.md`, made of the files in `conf/`.

python -m litlab.cli.reference conf > src/litlab/config/README.md
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from litlab.cli.folder_asked import folder_asked
from litlab.cli.help import groups
from litlab.cli.settings import ACROSS, Setting, header, own_settings, parents, settings_of
from litlab.config import allowed_values

TITLE = """# All settings

Made of the files in `conf/` by `python -m litlab.cli.reference conf`. The same words are in the terminal:
`python train.py --help optimizer` explains a group, `python train.py --help optimizer.lr` a setting, and
`python train.py --cfg job` prints all settings as composed from the command line.

`python -m litlab.cli.schema .schemas` writes JSON schemas, with which an editor completes and checks these files. It
prints what to put into the settings of VS Code."""


def reference(conf: Path) -> str:
    """The page as text, in Markdown."""
    known = [group for group in groups([conf], "train") if group not in ACROSS]
    general = [s for s in settings_of(conf / "train.yaml") if s.value and s.key.partition(".")[0] not in known]
    links = ["[Of a training](#of-a-training)", *(f"[{group}](#{group})" for group in known)]
    links.append("[Of `predict.py`](#of-predictpy)")
    lines = [TITLE, "", " \u00b7 ".join(links), "", "## Of a training", "", *_table(general, allowed_values(None))]
    for group in known:
        lines += ["", f"## {group}"]
        of_all = [s for s in settings_of(conf / "train.yaml") if s.value and s.key.startswith(f"{group}.")]
        lines += ["", "Of every option:", "", *_table(of_all, allowed_values(None))] if of_all else []
        for file in sorted((conf / group).glob("*.yaml")):
            lines += ["", f"### {group}={file.stem}", "", *_option(file, group)]
    predict = [s for s in settings_of(conf / "predict.yaml") if s.value]
    lines += ["", "## Of `predict.py`", "", *_table(predict, {})]
    for file in sorted((conf / "export").glob("*.yaml")):
        lines += ["", f"### export={file.stem}", "", *_option(file, "export")]
    return "\n".join(lines) + "\n"


def _option(file: Path, group: str) -> Iterator[str]:
    yield " ".join(header(file))
    own = [s for s in own_settings(file, group) if s.value]
    if inherited := parents(file):
        yield "As " + " and ".join(f"`{group}={name}`" for name in inherited) + (", but:" if own else ".")
    if own:
        yield ""
        yield from _table(own, allowed_values(file))


def _table(settings: Sequence[Setting], allowed: dict[str, str]) -> Iterator[str]:
    yield "| setting | may be | what it is |"
    yield "|---|---|---|"
    for setting in settings:
        cells = (f"`{setting.key}={setting.value}`", allowed.get(setting.key, ""), setting.words)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(reference(folder_asked(__doc__, containing="train.yaml")), end="")
