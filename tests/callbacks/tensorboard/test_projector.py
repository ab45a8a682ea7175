"""The embedding projector."""

import numpy as np
from PIL import Image


def test_the_projector_has_a_line_for_each_thumbnail(quick_run):
    run = quick_run.runs[0]
    vectors = np.loadtxt(run / "projector/vectors.tsv")
    assert vectors.shape == (300, 100)  # of the last dense layer's input
    assert len((run / "projector/labels.tsv").read_text().splitlines()) == 300
    assert Image.open(run / "projector/thumbnails.png").size == (18 * 28, 18 * 28)
    assert str(quick_run.folder) not in (run / "projector_config.pbtxt").read_text()
