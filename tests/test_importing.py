import subprocess
import sys

import pytest

SCRIPT = """
import gc
import sys
from litlab.importing import collector_rests

try:
    with collector_rests():
        assert not gc.isenabled()
        import torch
        raise ValueError
except ValueError:
    assert gc.isenabled()
frozen = gc.get_freeze_count()
assert frozen > 100_000
with collector_rests():
    assert gc.isenabled(), "a second time there is nothing to import"
assert gc.get_freeze_count() == frozen

gc.unfreeze()
for module in [name for name in sys.modules if name.split(".")[0] == "torch"]:
    del sys.modules[module]
gc.disable()
with collector_rests():
    pass
assert not gc.isenabled(), "as whoever switched it off wants it"
assert gc.get_freeze_count() == 0
"""


def test_the_collector_rests_while_torch_is_imported_and_then_works_again():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)


@pytest.mark.slow
def test_a_script_rests_it_for_its_imports_only(tmp_path):
    script = """
import atexit, gc, sys
from litlab.cli import train

sys.argv = ["train.py", "data=mnist_sample", "model=mlp", "trainer=cpu", "summary=true"]
atexit.register(lambda: print("frozen", gc.get_freeze_count() > 200_000, gc.isenabled()))
train()
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout.splitlines()[-1] == "frozen True True"
