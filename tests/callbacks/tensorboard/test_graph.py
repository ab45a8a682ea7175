"""The network as a graph."""

from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from events import read
from omegaconf import OmegaConf
from scripts import REPOSITORY, composed

from litlab import config
from litlab.callbacks import Graph, TensorBoard
from litlab.callbacks.tensorboard import View
from litlab.modules import Classification

MODELS = sorted(path.stem for path in (REPOSITORY / "conf/model").glob("*.yaml"))


@pytest.mark.slow
def test_the_graph_is_that_of_the_network(seen):
    operations = {node.op for node in seen.Graph().node} if hasattr(seen.Graph(), "node") else set()
    assert "aten::_convolution" in operations


QUICK = ("mlp", "resnet18", "googlenet")
OTHERS = [model for model in MODELS if model not in ("timm", *QUICK)]  # timm is an extra, see test_registered.py


@pytest.mark.parametrize("model", [*QUICK, *(pytest.param(model, marks=pytest.mark.slow) for model in OTHERS)])
def test_every_network_has_a_graph(model, tmp_path):
    network = config.build(composed(f"model={model}"), "model", input_shape=[3, 32, 32], num_classes=10)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trained = [module.training for module in network.modules()]
    random = torch.get_rng_state()
    trainer = lightning.Trainer(logger=TensorBoard(tmp_path), accelerator="cpu", enable_progress_bar=False)
    trainer.datamodule = type("Shape", (), {"input_shape": (3, 32, 32)})
    Graph().begin(View(trainer, Classification(network, 10)))
    trainer.logger.experiment.close()
    nodes = [node.name.split("/") for node in read(tmp_path).Graph().node]
    assert {f"{type(network).__name__}"} <= {path[0].split("[")[0] for path in nodes}
    children = {name for name, child in network.named_children() if any(True for _ in child.parameters())}
    auxiliary = {name for name in children if "aux" in name}  # of training alone
    assert children - auxiliary <= {path[1].partition("[")[2].rstrip("]") for path in nodes if len(path) > 1}
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in network.modules()] == trained
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def shown(folder: Path, *model: str) -> Any:
    """The graph that a run with these settings of the network has."""
    config_of_run = OmegaConf.to_container(composed("data=mnist_sample", *model), resolve=True)
    network = config.build(config_of_run, "model", input_shape=[1, 28, 28], num_classes=10)
    trainer = lightning.Trainer(logger=TensorBoard(folder), accelerator="cpu", enable_progress_bar=False)
    trainer.datamodule = type("Shape", (), {"input_shape": (1, 28, 28), "num_classes": 10})
    Graph().begin(View(trainer, Classification(network, 10), config_of_run))
    trainer.logger.experiment.close()
    return read(folder).Graph()


def test_jobs_with_the_same_network_trace_it_once(tmp_path, monkeypatch):
    traced, trace = [], torch.jit.trace
    monkeypatch.setattr(torch.jit, "trace", lambda *arguments, **named: traced.append(1) or trace(*arguments, **named))
    first = shown(tmp_path / "a", "model=mlp", "model.hidden=[13]", "optimizer.lr=0.1")
    once = len(traced)
    assert once
    assert shown(tmp_path / "b", "model=mlp", "model.hidden=[13]", "optimizer.lr=0.2") == first
    assert len(traced) == once
    assert shown(tmp_path / "c", "model=mlp", "model.hidden=[14]") != first
    assert len(traced) == 2 * once


class WithWeightsOutside(torch.nn.Module):
    """It runs, but the tracer refuses the weights of a layer that torch does not know of."""

    def __init__(self):
        super().__init__()
        self.blocks = [torch.nn.Conv2d(3, 10, 32)]

    def forward(self, images):
        return self.blocks[0](images).flatten(1)


def test_a_network_that_cannot_be_drawn_is_trained_all_the_same(tmp_path, capsys):
    trainer = lightning.Trainer(logger=TensorBoard(tmp_path), accelerator="cpu", enable_progress_bar=False)
    trainer.datamodule = type("Shape", (), {"input_shape": (3, 32, 32)})
    Graph().begin(View(trainer, Classification(WithWeightsOutside(), 10)))
    said = capsys.readouterr().err
    assert said.startswith("warning: TensorBoard has no graph of this network: ")
    assert len(said.splitlines()) == 1
