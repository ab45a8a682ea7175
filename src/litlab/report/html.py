"""`report.html`: curves to point at, every epoch's numbers, mistakes and all settings, in one file without network."""

import base64
import json
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import yaml

from litlab.console import number
from litlab.figures import as_png
from litlab.report.curves import HEADINGS, epochs_of, shown_metrics
from litlab.report.evaluation import Sample
from litlab.report.page import Page

TEMPLATE = Path(__file__).with_name("page.html")
KEYS = (("train", "train"), ("within", "train, by step"), ("val", "val"), ("best", "best"))


def as_html(page: Page, png: bytes) -> str:
    """The page as text. It holds all that it shows.

    Args:
        png: the page as a picture.
    """
    data = json.dumps(curves(page), allow_nan=False).replace("<", "\\u003c")  # no name can end the script
    text = TEMPLATE.read_text("utf-8").replace("/*TITLE*/", escape(page.title))
    before, _, after = text.partition("/*BODY*/")
    return before + "\n".join(filter(None, _body(page, png))) + after.replace("/*DATA*/null", data)


def curves(page: Page) -> dict[str, Any]:
    """What the script of the page draws: for each metric, curves with points of an epoch and a value."""
    found: dict[str, list[dict[str, Any]]] = {}
    for metric in shown_metrics(page):
        found[metric] = []
        for kind, words in KEYS[:3]:
            name = f"train/{metric}_step" if kind == "within" else f"{kind}/{metric}"
            logged = [(step, value) for step, value in page.history.get(name, ()) if math.isfinite(value)]
            if logged:
                epochs = epochs_of(page, [step for step, _ in logged])
                points = [[round(e, 4), value] for e, (_, value) in zip(epochs, logged, strict=True)]
                style = "train within" if kind == "within" else kind
                found[metric].append({"name": words, "kind": style, "points": points})
    best = round(epochs_of(page, [page.best_step])[0], 4) if page.best_step else None
    return {"curves": {metric: lines for metric, lines in found.items() if lines}, "best": best}


def _body(page: Page, png: bytes) -> list[str]:
    verdict = "".join(f"<li>{escape(sentence)}</li>" for sentence in page.sentences)
    names = [name for name in page.history if name.startswith(("train/", "val/")) and not name.endswith("_step")]
    epochs = sorted({step for name in names for step, _ in page.history[name]})
    values = {name: dict(page.history[name]) for name in names}
    rows = [
        [str(epoch), f"{step:,}", *(number(values[n][step]) if step in values[n] else "" for n in names)]
        for epoch, step in enumerate(epochs, 1)
    ]
    metrics = [[name, number(value)] for name, value in page.metrics.items()]
    picture = _inline(png)
    return [
        f"<h1>{escape(page.title)}</h1>",
        f'<p><strong>{escape(page.headline)}</strong></p><p class="grey">{escape(page.subtitle)}</p>',
        f"<h2>Verdict</h2><ul>{verdict}</ul>" if verdict else "",
        *_plots(page),
        *_mistakes(page),
        "<h2>Metrics</h2>" + _table(["metric", "value"], metrics) if metrics else "",
        "<h2>Epochs</h2>" + _table(["epoch", "step", *names], rows) if rows else "",
        *_class_table(page),
        "<h2>Settings</h2>",
        _table(["setting", "value"], [list(item) for item in page.settings.items()]),
        f"<h2>Config</h2><pre>{escape(_as_yaml(page.config))}</pre>" if page.config else "",
        f'<h2>For a slide</h2><img src="{picture}" alt="The run on one page: curves, predictions, settings, verdict">',
    ]


def _plots(page: Page) -> list[str]:
    drawn = curves(page)
    if not drawn["curves"]:
        return []
    kinds = {line["kind"].rpartition(" ")[2] for lines in drawn["curves"].values() for line in lines}
    kinds |= {"best"} if drawn["best"] else set()
    best = f"best, epoch {drawn['best']:g}" if drawn["best"] else ""
    keys = [(kind, best if kind == "best" else words) for kind, words in KEYS if kind in kinds]
    legend = "".join(f'<span class="key of-{kind}">{words}</span>' for kind, words in keys)
    plots = [
        f'<div class="plot" data-metric="{metric}"><header><strong>{HEADINGS[metric]}</strong>'
        '<label><input type="checkbox"> log scale</label></header>'
        '<svg viewBox="0 0 460 240"></svg><output></output></div>'
        for metric in drawn["curves"]
    ]
    return ["<h2>Curves</h2>", f"<p>{legend}</p>", '<div class="plots">', *plots, "</div>"]


def _mistakes(page: Page) -> list[str]:
    """The most confidently wrong pictures, with their files."""
    found = page.evaluation
    if not found or not found.wrong or not page.class_names:
        return []
    figures = [
        f'<figure><img src="{_inline(as_png(sample.image))}" alt="">'
        f"<figcaption>{_caption(page, sample)}</figcaption></figure>"
        for sample in found.wrong
    ]
    heading = f"<h2>Most confidently wrong, {found.images}</h2>"
    return [heading, '<div class="samples">', *figures, "</div>"]


def _caption(page: Page, sample: Sample) -> str:
    said, true = page.class_names[int(sample.predicted)], page.class_names[int(sample.true)]
    sure = f" ({sample.probability:.0%})" if sample.probability is not None else ""
    file = f'<br><span class="grey">{_breakable(sample.file)}</span>' if sample.file else ""
    return f"said {_breakable(said)}{sure}<br>is {_breakable(true)}{file}"


def _breakable(name: str) -> str:
    """A name that may go on in the next line after each `_` and `/`. Elsewhere a browser breaks it only if it must."""
    return escape(name).replace("_", "_<wbr>").replace("/", "/<wbr>")


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


def _as_yaml(config: Any) -> str:
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def _inline(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    table = f"<table>\n<thead>{line(headings, 'th')}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return f'<div class="scroll">{table}</div>'
