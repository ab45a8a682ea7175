import pytest

from litlab.callbacks.terminal.lines import epoch_line, fitting

METRICS = ["train: loss 0.0153 acc 0.9957", "val: loss 0.0352 acc 0.9902 (best)"]
EPOCH = ("epoch 5/5", METRICS, "3.0 s", "19,705 images/s")


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (200, f"epoch 5/5  {METRICS[0]}  |  {METRICS[1]}  |  3.0 s, 19,705 images/s"),
        (90, f"epoch 5/5  {METRICS[0]}  |  {METRICS[1]}  |  3.0 s"),
        (80, f"epoch 5/5  {METRICS[0]}  |  {METRICS[1]}"),
        (76, f"epoch 5/5  {METRICS[0]}  {METRICS[1]}"),
        (60, f"epoch 5/5  {METRICS[0]}\n           {METRICS[1]}"),
    ],
)
def test_the_line_of_an_epoch_has_what_there_is_room_for(width, line):
    assert epoch_line(*EPOCH, width) == line
    assert all(len(part) <= width for part in line.splitlines())


def test_a_line_without_metrics_has_the_time():
    assert epoch_line("epoch 1", [], "2.0 s", "", 80) == "epoch 1  2.0 s"


def test_the_bar_shows_the_first_numbers_that_fit():
    assert fitting(["loss 0.1", "", "12 img/s", "acc 1"], 18) == "loss 0.1  12 img/s"
