"""`report.html`: the page with its picture inside, every epoch's numbers and all settings, in one file."""

import base64
from collections.abc import Sequence
from html import escape

from litlab.console import number
from litlab.report.page import Page


def as_html(page: Page, png: bytes) -> str:
    """The page with its picture inside, every epoch's numbers and all settings, as text."""
    picture = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    verdict = "".join(f"<li>{escape(sentence)}</li>" for sentence in page.sentences)
    names = [name for name in page.history if name.startswith(("train/", "val/")) and not name.endswith("_step")]
    epochs = sorted({step for name in names for step, _ in page.history[name]})
    values = {name: dict(page.history[name]) for name in names}
    rows = [
        [str(epoch), f"{step:,}", *(number(values[n][step]) if step in values[n] else "" for n in names)]
        for epoch, step in enumerate(epochs, 1)
    ]
    sections = [
        f"<h1>{escape(page.title)}</h1>",
        f"<p>{escape(page.headline)}  ·  {escape(page.subtitle)}</p>",
        f"<h2>Verdict</h2><ul>{verdict}</ul>" if verdict else "",
        f'<img src="{picture}" alt="Curves, predictions, settings and verdict of the run on one page">',
        "<h2>Metrics</h2>",
        _table(["metric", "value"], [[name, number(value)] for name, value in page.metrics.items()]),
        "<h2>Epochs</h2>" + _table(["epoch", "step", *names], rows) if rows else "",
        *_class_table(page),
        "<h2>Settings</h2>",
        _table(["setting", "value"], [list(item) for item in page.settings.items()]),
    ]
    style = (
        "body{font:15px/1.5 system-ui,sans-serif;color:#1a1a1a;max-width:1280px;margin:2em auto;padding:0 1em}"
        "img{max-width:100%;height:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
        "th,td{padding:.2em .9em;text-align:right;border-bottom:1px solid #ddd}"
        "th:first-child,td:first-child{text-align:left}"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(page.title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        + "\n".join(filter(None, sections))
        + "\n</body>\n</html>\n"
    )


def _class_table(page: Page) -> list[str]:
    if not page.evaluation or page.evaluation.matrix is None:
        return []
    counts = page.evaluation.matrix
    total, said, right = counts.sum(1).tolist(), counts.sum(0).tolist(), counts.diagonal().tolist()
    rows = [
        [name, *(f"{r / n:.4f}" if n else "" for n in (s, t)), f"{t:,}"]
        for name, t, s, r in zip(page.class_names, total, said, right, strict=True)
    ]
    return [f"<h2>Classes ({page.evaluation.split})</h2>", _table(["class", "precision", "recall", "images"], rows)]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f"<table>\n<thead>{line(headings, 'th')}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"
