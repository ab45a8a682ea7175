"""The outputs of a layer."""

import numpy as np
import pytest
from events import picture, read
from pictures import draw_folder
from scripts import QUICK


@pytest.mark.slow
def test_colour_pictures_from_files_and_maps_of_a_layer(train_here, tmp_path):
    draw_folder(tmp_path / "drawn", count=8)
    done = train_here(
        *("data=image_folder", "data.data_dir=drawn", "data.image_size=[40,60]", "data.num_workers=0"),
        *("trainer=cpu", "trainer.max_epochs=1", "model=mnist_cnn", "data.batch_size=4"),
        "callbacks.feature_maps.layer=features.3",
    )
    assert done.status == 0, done.err
    seen = read(done.runs[0])
    assert {"view/pictures/train", "view/pictures/val", "view/filters", "view/feature_maps/features.3"} <= set(
        seen.Tags()["images"]
    )
    red = np.array(picture(seen.Images("view/pictures/train")[0]))[:40, :60].reshape(-1, 3).mean(0)
    assert abs(red[0] - red[2]) > 60  # a picture is red or blue


def test_a_layer_that_is_not_there_is_one_line(train_here, tmp_path):
    done = train_here(*QUICK, "callbacks.feature_maps.layer=conv9")
    assert done.status == 2
    assert done.err.startswith(
        "error: callbacks.feature_maps.layer=conv9: MnistCNN has no such layer; it has features, features.0,"
    )
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
