"""Training: from a composed config to a run folder with a trained network and a `result.json`.

run                 the way from `train.py` to `trainer.fit`
record              the config in the run folder before a training begins; a refused or failed run after it
settle              fills in what all processes must know and a config leaves open, and the precision
assemble            builds the data module and the network in its LightningModule, and prepares the data
trainer             builds the Trainer with its callbacks and loggers
build               puts all of these together: the parts of a run
lr_range_test       `lr_find=true`: rising learning rates on fresh weights; `lr_curve` reads them, `lr_picture` draws
checks              refuses parts that do not fit together
weights             loads the first weights of a network: published ones, or those of a file
batch_size          `data.batch_size=auto`; `batch_size_search` is the process that tries the sizes
resume              what a run may change when it goes on, and its files at the step of the checkpoint
rewind              `on_nan=rewind`: back to a checkpoint with half the learning rate
jobs                a job of a sweep: its lock, what an earlier start has left of it, its CPU cores
outcome             how a training ended
stopped             what ended it, in one word, and its last line
failure             the error that ended a training, in words for a user
result              writes `result.json` and the page of a run
terminal            the first and the last lines that a run prints
"""

from litlab.training.assemble import assemble
from litlab.training.run import run_training, train_in_this_process

__all__ = ["assemble", "run_training", "train_in_this_process"]
