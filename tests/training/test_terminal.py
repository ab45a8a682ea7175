"""What a training prints."""

import re

from scripts import QUICK


def test_the_output_has_no_control_codes_and_no_warnings(quick_run):
    assert "\x1b" not in quick_run.out + quick_run.err
    assert quick_run.err == ""
    assert "mnist_sample: 3,500 / 500 / 1,000 images, 10 classes  |  MnistCNN  |  cpu, " in quick_run.out
    assert "epoch 2/2" in quick_run.out
    assert "test/acc" in quick_run.out
    assert "tensorboard --logdir runs/mnist_sample_mnist_cnn/" in quick_run.out
    assert "epoch 2/2" in (quick_run.runs[0] / "train.log").read_text()


def test_a_summary_prints_the_layers_and_leaves_no_folder(train_here, tmp_path):
    done = train_here(*QUICK, "model=lenet5", "summary=true")
    assert done.status == 0, done.err
    assert re.search(r"features\.3 +Conv2d +6 x 14 x 14 +16 x 10 x 10 +2,416", done.out)
    assert re.search(r"LeNet5 +61,706", done.out)
    assert list(tmp_path.iterdir()) == []
