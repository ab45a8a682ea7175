"""Plain `nn.Module`s: no Lightning, no config. Each takes `input_shape` (C, H, W) and `num_classes` first."""

from litlab.networks.convnets import CIFAR10Quick, MnistCNN
from litlab.networks.mlp import MLP
from litlab.networks.summary import Layer, summarize

__all__ = ["MLP", "CIFAR10Quick", "Layer", "MnistCNN", "summarize"]
