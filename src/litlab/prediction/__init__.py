"""What to do with a trained network: predict pictures, evaluate it on a data set, or export it for other programs.

run                 decides which of the three `predict.py` is asked for
find                the checkpoint that `ckpt` names
settings            settings that all three share
predict             the predictions of a network for pictures
files               the pictures that `input` names, prepared for the network
invert              `invert=auto`: gives a photograph the background of the training images
tasks               turns the outputs of a network into predictions, for each task
write               prints predictions, and writes them as CSV, JSON and a sheet of pictures
evaluate            the metrics of a network on a split of a data set
ensemble            the networks of a sweep as one
held_out            whether all of them held out the pictures on which they are measured
data                the data set of a checkpoint, or another one that fits it
details             confusions, calibration and the most confident mistakes of a classifier
evaluation_result   prints and writes the result of an evaluation
export              writes a network for other programs, and checks the file
export_images       the images on which an export is checked
export_formats      ONNX, torch.export, plain weights
"""

from litlab.prediction.evaluate import evaluate_in_this_process, measure
from litlab.prediction.find import find_checkpoint
from litlab.prediction.run import run_prediction

__all__ = ["evaluate_in_this_process", "find_checkpoint", "measure", "run_prediction"]
