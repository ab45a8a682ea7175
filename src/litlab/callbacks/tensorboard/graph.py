"""The network as a graph."""

import warnings

import torch

from litlab.callbacks.tensorboard.panel import Panel
from litlab.callbacks.tensorboard.view import View
from litlab.networks import evaluating


class Graph(Panel):
    """The operations of the network in evaluation, traced on a black image before the first step."""

    whole_weights = True

    def begin(self, view: View) -> None:
        if view.step or not view.draws:  # a resumed run has it already
            return
        plugin = view.trainer.precision_plugin
        image = plugin.convert_input(torch.zeros(1, *view.data.input_shape, device=view.module.device))
        # The tracer warns that the graph is true for images of this size only. More is not wanted here.
        with warnings.catch_warnings(action="ignore"), evaluating(view.network), torch.no_grad():
            traced = torch.jit.trace(view.network, image, check_trace=False)
            view.write(lambda writer: writer.add_graph(traced, image))
