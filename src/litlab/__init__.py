"""litlab: experiments with image models. Lightning trains, Hydra configures, litlab does the rest.

From a notebook, without any config::

    import lightning
    from litlab.data import MNIST
    from litlab.modules import Classification
    from litlab.networks import MnistCNN

    lightning.Trainer(max_epochs=1).fit(Classification(MnistCNN(), num_classes=10), MNIST())
"""

__version__ = "0.1.0"
