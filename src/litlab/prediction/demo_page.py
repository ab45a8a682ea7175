"""The page of `demo=true`, made with Gradio. `litlab.prediction.demo` imports this file when the page is asked for.

https://www.gradio.app/docs
"""

import contextlib
import html
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch

from litlab.checkpoint import Trained
from litlab.errors import one_line
from litlab.prediction.model_card import model_card
from litlab.prediction.one_picture import PictureResult, predict_picture

MOST_LIKELY = 5
LARGEST_FILE = "50mb"
KEPT = 120  # seconds: an upload is deleted after one to two times as long
CANVAS = 280  # pixels: ten times MNIST
PEN = 11  # pixels, the radius: about as thick, on the canvas, as the strokes of MNIST


def build_page(
    trained: Trained, on: torch.device, invert: bool | str, explain: bool, uploads: Path, examples: Sequence[Path]
) -> gr.Blocks:
    """The page: on the left a picture is drawn or chosen, on the right stands what the network says of it.

    Args:
        trained: the network.
        on: the device on which it predicts.
        invert: True, False or "auto", as the setting.
        explain: show a heat map too.
        uploads: the folder in which Gradio puts what is uploaded.
        examples: picture files in it, to click on.
    """

    def answer(result: PictureResult) -> list[Any]:
        seen, heat = (None if p is None else p.permute(1, 2, 0).numpy() for p in (result.seen, result.heat))
        return [
            result.probabilities or None,
            result.text,
            seen,
            heat,
            gr.update(value=result.error, visible=bool(result.error)),
        ]

    def of_upload(upload: Any) -> list[Any]:
        return of_file(None if upload is None else uploaded(upload, uploads))

    def of_file(file: Path | None) -> list[Any]:
        if file is None:
            return answer(PictureResult({}))
        try:
            return answer(predict_picture(trained, file, on, invert, explain))
        except (ValueError, RuntimeError) as error:  # outputs that are not finite, or no memory
            return answer(PictureResult({}, error=one_line(error)))

    def of_drawing(drawing: dict[str, Any] | None) -> list[Any]:
        drawn = drawing["composite"] if drawing else None
        if drawn is None or drawn.convert("L").getextrema() == (255, 255):  # nothing is drawn
            return of_file(None)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "drawing.png"
            drawn.save(file)
            return of_file(file)

    name = trained.architecture.name.rpartition(".")[2]
    with gr.Blocks(title=f"{name}, {trained.data.name}", analytics_enabled=False, delete_cache=(KEPT, KEPT)) as page:
        gr.Markdown(f"## {html.escape(name)}, trained on {html.escape(trained.data.name)}")
        with gr.Row():
            with gr.Column():
                with gr.Tab("Picture"):
                    sources = ["upload", "webcam", "clipboard"]
                    picture = gr.Image(
                        label="a photograph", elem_id="picture", height=320, sources=sources, type="filepath"
                    )
                    clickable = gr.Column()
                with gr.Tab("Drawing"):
                    drawing = sketchpad()
            with gr.Column():
                error = gr.Textbox(label="not read", visible=False, elem_id="error")
                bars = gr.Label(
                    label="the most likely classes",
                    num_top_classes=MOST_LIKELY,
                    visible=trained.task != "Regression",
                    elem_id="bars",
                )
                text = gr.Textbox(label="output", visible=trained.task != "Classification", elem_id="output")
                seen = gr.Image(
                    label="as the network sees it", elem_id="seen", height=320, format="png", buttons=["fullscreen"]
                )
                heat = gr.Image(
                    label="where it looked",
                    elem_id="heat",
                    height=320,
                    format="png",
                    buttons=["fullscreen"],
                    visible=explain,
                )
        gr.Markdown(card_table(trained), elem_id="card")
        shown = [bars, text, seen, heat, error]
        if examples:
            with clickable:  # below the picture; made here, where the outputs are known
                gr.Examples(
                    [[str(file)] for file in examples],
                    [picture],
                    shown,
                    of_upload,
                    label="validation images",
                    run_on_click=True,  # after a file that the browser cannot show, there is no event of a change
                    api_visibility="private",
                )
        quietly = {"show_progress": "hidden", "api_visibility": "private"}
        # preprocess=False: Gradio would open the file before litlab has checked it.
        picture.change(of_upload, picture, shown, preprocess=False, **quietly)
        drawing.input(of_drawing, drawing, shown, trigger_mode="always_last", **quietly)
        drawing.clear(blank_paper, None, drawing, **quietly)
    return page


def uploaded(upload: Any, uploads: Path) -> Path:
    """The file of an upload, as the browser names it.

    Args:
        upload: the path of an example, or Gradio's `FileData` of what a user gives.
        uploads: the folder in which Gradio puts what is uploaded.

    Raises:
        gr.Error: if it is not in the folder of uploads. Whoever reaches the page must not see other files.
    """
    path = upload.get("path") if isinstance(upload, Mapping) else getattr(upload, "path", upload)
    file = Path(str(path)).resolve()
    if not file.is_relative_to(uploads.resolve()):
        raise gr.Error("this file was not uploaded", print_exception=False)
    return file


def blank_paper() -> dict[str, Any]:
    """An empty drawing. Gradio chooses the pen only where there is a background."""
    return {"background": np.full((CANVAS, CANVAS, 3), 255, np.uint8), "layers": [], "composite": None}


def sketchpad() -> gr.Sketchpad:
    """A white canvas with a thick black pen."""
    return gr.Sketchpad(
        blank_paper,
        type="pil",
        canvas_size=(CANVAS, CANVAS),
        fixed_canvas=True,
        brush=gr.Brush(PEN, colors=["#000000"], color_mode="fixed"),
        eraser=gr.Eraser(PEN),
        layers=False,
        transforms=(),
        label="draw with the mouse or a finger",
        elem_id="drawing",
    )


def card_table(trained: Trained) -> str:
    """The model card as a Markdown table. Names come from a file that somebody else may have made: they are escaped."""
    card = [(name, html.escape(value).replace("|", "&#124;").replace("\n", " ")) for name, value in model_card(trained)]
    first, *rows = [f"| {name} | {value} |" for name, value in card]
    return "\n".join(["### Model card", "", first, "|---|---|", *rows])


@contextlib.contextmanager
def served(page: gr.Blocks, host: str, port: int) -> Iterator[None]:
    """Serves the page from threads of this process until the block ends."""
    page.launch(
        server_name=host,
        server_port=port,
        share=False,
        inbrowser=False,
        quiet=True,
        prevent_thread_lock=True,
        max_file_size=LARGEST_FILE,
        footer_links=[],
        ssr_mode=False,
    )
    try:
        yield
    finally:
        page.close(verbose=False)


def wait() -> None:
    """Waits for Ctrl-C or SIGTERM."""
    threading.Event().wait()
