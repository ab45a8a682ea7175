"""Reads the event files of runs."""

import io
from pathlib import Path

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def read(run: Path) -> EventAccumulator:
    everything = {"images": 0, "scalars": 0, "histograms": 0, "tensors": 0}
    events = EventAccumulator(str(run), size_guidance=everything)
    events.Reload()
    return events


def picture(event) -> Image.Image:
    return Image.open(io.BytesIO(event.encoded_image_string))
