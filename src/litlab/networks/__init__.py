"""Networks: plain `nn.Module`s that know nothing of Lightning or of a config, one family in a file.

The first arguments of each are `input_shape`, (C, H, W) of the images, and `num_classes`. `forward` maps images
[B, C, H, W] to outputs [B, num_classes].
"""

from litlab.networks.alexnet import AlexNet
from litlab.networks.auxiliary import WithAuxiliary
from litlab.networks.convnets import CIFAR10Quick, MnistCNN
from litlab.networks.convnext import ConvNeXt
from litlab.networks.efficientnet_lite import EfficientNetLite0
from litlab.networks.googlenet import GoogLeNet
from litlab.networks.lenet import LeNet5
from litlab.networks.mlp import MLP
from litlab.networks.mlp_mixer import MLPMixer
from litlab.networks.modes import evaluating, trying_training
from litlab.networks.patches import CutImages, refusing_cut_images
from litlab.networks.registered import Registered
from litlab.networks.resnet import ResNet18, ResNet34, ResNet50
from litlab.networks.summary import Layer, summarize
from litlab.networks.timm_model import TimmModel
from litlab.networks.torchvision_model import TorchvisionModel
from litlab.networks.transfer import BATCH_NORMS, Freezable, Transfer, with_frozen_backbone
from litlab.networks.vgg import VGG11, VGG13, VGG16, VGG19
from litlab.networks.vit import ViT
from litlab.networks.weights import head_of, load_published, load_weights, preprocessing, with_versions
from litlab.networks.whitened import WhitenedCNN

__all__ = [  # noqa: RUF022 (in the order in which one meets them)
    "BATCH_NORMS",
    "MLP",
    "MnistCNN",
    "CIFAR10Quick",
    "LeNet5",
    "AlexNet",
    "VGG11",
    "VGG13",
    "VGG16",
    "VGG19",
    "GoogLeNet",
    "ResNet18",
    "ResNet34",
    "ResNet50",
    "EfficientNetLite0",
    "WhitenedCNN",
    "ViT",
    "MLPMixer",
    "ConvNeXt",
    "TorchvisionModel",
    "TimmModel",
    "Registered",
    "CutImages",
    "refusing_cut_images",
    "Freezable",
    "Transfer",
    "with_frozen_backbone",
    "load_weights",
    "with_versions",
    "load_published",
    "preprocessing",
    "head_of",
    "WithAuxiliary",
    "Layer",
    "summarize",
    "evaluating",
    "trying_training",
]
