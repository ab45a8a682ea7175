"""Where parameters have learning rates of their own, the table of layers says which have which."""

import io

import pytest
from events import read
from recorded_runs import TINY, record_run, train_recorded
from rich.console import Console
from scripts import asked

from litlab.callbacks import groups_table
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
