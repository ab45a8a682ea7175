"""`KeepMemory`, measured by the pages that the kernel had to clear."""

import ctypes
import subprocess
import sys

import pytest

BLOCKS = """
import resource
from types import SimpleNamespace
import torch
from litlab.callbacks import KeepMemory

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(12_000_000)  # 48 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep, state = KeepMemory(), SimpleNamespace(fn="fit")
trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cpu")), state=state, sanity_checking=False)
counted = [pages()]
keep.on_train_start(trainer)
counted.append(pages())
keep.on_validation_start()
keep.on_validation_end(trainer)
counted.append(pages())
print(*counted)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_training_keeps_its_memory_for_the_next_step():
    done = subprocess.run([sys.executable, "-c", BLOCKS], capture_output=True, text=True, check=True)
    before, training, after_validation = map(int, done.stdout.split())
    assert max(training, after_validation) < before / 5
