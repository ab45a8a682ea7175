"""Use a trained image model.

python predict.py ckpt=latest input=dog.png            # what is it? a file, a folder, a glob, or [a.png,photos/]
python predict.py ckpt=latest evaluate=test            # how good is it? train, val or test
python predict.py ckpt=latest export=onnx              # or torch_export, state_dict, safetensors
python predict.py --help                               # all settings

The way from here: litlab/cli/commands.py, litlab/prediction/run.py. `litlab predict` is the same program.
"""

from litlab.cli import predict

if __name__ == "__main__":
    predict()
