"""The network as a graph."""

import json
import warnings

import torch

from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View
from litlab.console import warn
from litlab.errors import one_line
from litlab.networks import evaluating

KEPT = 8  # graphs, each of some hundred kilobytes

_graphs: dict[str, bytes] = {}  # of this process, by network: the jobs of a sweep often share one


class Graph(Panel):
    """The operations of the network in evaluation, traced on a black image before the first step."""

    whole_weights = True

    def begin(self, view: View) -> None:
        if view.step or not view.draws:  # a resumed run has it already
            return
        kind = _kind(view)
        if known := _graphs.get(kind):
            view.write(lambda writer: writer.add_graph_again(known))
            return
        plugin = view.trainer.precision_plugin
        image = plugin.convert_input(torch.zeros(1, *view.data.input_shape, device=view.module.device))
        # The tracer warns that the graph is true for images of this size only. More is not wanted here.
        with warnings.catch_warnings(action="ignore"), evaluating(view.network), torch.no_grad():
            try:
                traced = torch.jit.trace(view.network, image, check_trace=False)
            except RuntimeError as error:  # of a network that runs, and cannot be drawn
                warn(f"TensorBoard has no graph of this network: {one_line(error)[:200]}")
                return
            view.write(lambda writer: writer.add_graph(traced, image))
        if kind:
            if len(_graphs) >= KEPT:
                _graphs.clear()
            _graphs[kind] = view.boards[0].experiment.graph


def _kind(view: View) -> str:
    """What the graph depends on; empty where there is no config that says it, as in a notebook."""
    if not view.config:
        return ""
    data, network = view.data, type(view.network)
    made_of = [view.config["model"], data.input_shape, data.num_classes, view.trainer.precision]
    return json.dumps([f"{network.__qualname__} {id(network)}", str(view.module.device), *made_of], default=str)
