"""The table of layers at any width. Where parameters have learning rates of their own, it says which have which."""

import io

import pytest
from events import read
from recorded_runs import TINY, record_run, train_recorded
from rich.console import Console
from scripts import asked
from torch import nn

from litlab.callbacks import groups_table, summary_table
from litlab.training.assemble import assemble


def table_of(*overrides):
    return groups_table(assemble(asked("data=mnist_sample", "trainer=cpu", *overrides))[2])


def test_one_group_has_no_table():
    assert table_of("model=mlp") is None
    assert table_of("model=mlp", "+model.freeze=backbone", "optimizer.backbone_factor=0.5") is None


@pytest.mark.parametrize("model", ["lenet5", "resnet18"])
def test_the_groups_fit_eighty_columns(model):
    output = io.StringIO()
    wanted = ["optimizer=adamw", "optimizer.layer_decay=0.7", "optimizer.decay_norm_and_bias=false"]
    Console(file=output, width=200).print(table_of(f"model={model}", *wanted))
    lines = output.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if line.startswith("  pg")]
    head = "fc" if model == "resnet18" else "classifier.4"
    assert [(*row[:4], *row[-2:]) for row in rows[:2]] == [
        ("pg1", "weights", "of", head, "1", "0.01"),
        ("pg2", "norms,", "biases", "of", "1", "0"),
    ]


def test_a_run_shows_its_groups_at_the_start_and_in_tensorboard(tmp_path, capsys):
    short = ["trainer.max_epochs=1", "data.train_limit=70", "logger=tensorboard", "model.hidden=[20]"]
    record_run(tmp_path / "run", *TINY, *short, "optimizer.backbone_factor=0.1", base=[])
    train_recorded(tmp_path / "run")
    printed = capsys.readouterr().out
    assert "lr factor" in printed
    assert "pg2" in printed
    (text,) = read(tmp_path / "run").Tensors("parameter_groups/text_summary")
    assert "| pg2 | layers.1 | 15,700 | 0.1 | 0 |" in text.tensor_proto.string_val[0].decode()


class Deep(nn.Module):
    """A network whose layers have long names."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential()
        for block in range(2):
            self.features.add_module(f"inverted_bottleneck_{block}", nn.Sequential(nn.Conv2d(3, 3, 1), nn.GELU()))
        self.features[1].add_module("squeeze_and_excitation_of_channels", nn.Conv2d(3, 3, 1))
        self.features[0].requires_grad_(False)

    def forward(self, images):
        return self.features(images)


@pytest.mark.parametrize(("width", "inputs"), [(140, True), (80, False), (60, False)])
def test_the_name_of_a_layer_is_whole(width, inputs):
    """Where the line is too short, the input sizes are left out, and a name takes two lines."""
    output = io.StringIO()
    Console(file=output, width=width).print(summary_table(Deep(), (3, 224, 224), max_depth=3))
    lines = output.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in output.getvalue()
    assert ("input" in lines[1].split()) == inputs
    start = lines[1].index("type")
    names = "".join(line[:start].strip() for line in lines)
    assert "features.inverted_bottleneck_0.0features.inverted_bottleneck_0.1features" in names
    assert "features.inverted_bottleneck_1.squeeze_and_excitation_of_channels" in names
    convolution = next(line for line in lines if "Conv2d" in line)
    assert convolution.split()[-6:] == ["3", "x", "224", "x", "224", "12"]
    assert "(24 trainable)" in output.getvalue()
