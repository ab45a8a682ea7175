"""Settings of small runs that differ only in what a test is about."""

QUIET = [
    *("trainer=cpu", "trainer.max_epochs=2", "trainer.log_every_n_steps=4", "trainer.precision=32-true"),
    *("callbacks.report.enabled=false", "engine=eager"),
]
# 11 steps, the last of 10 images
TINY = ["data=mnist_sample", "model=mlp", "model.hidden=[20]", "data.train_limit=650", *QUIET]
COLOUR = ["data=fake", "data.train_size=400", "data.val_size=100", "data.input_shape=[3,16,16]", *QUIET]
WHITENED = [*COLOUR, "model=whitened_cnn", "model.widths=[4,6,8]"]
LINE = ["experiment=linear_regression", *QUIET, "trainer.log_every_n_steps=10", "trainer.max_epochs=8"]
