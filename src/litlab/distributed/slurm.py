"""Makes a task of SLURM look like a process of torchrun."""

import os
import re
import sys


def adopt_slurm() -> None:
    """Gives a task of `srun` the environment variables that torchrun would give it. Elsewhere, does nothing."""
    os.environ.pop("SLURM_NTASKS", None)  # Lightning would see that this is SLURM, and set up the processes itself
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))
    if "RANK" in os.environ or tasks < 2:
        return
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

    per_node = re.fullmatch(r"(\d+)(\(x\d+\))?", os.environ["SLURM_STEP_TASKS_PER_NODE"])
    if per_node is None:
        print("error: SLURM: all nodes must have the same number of tasks: --ntasks-per-node", file=sys.stderr)
        sys.exit(2)
    nodes = os.environ["SLURM_STEP_NODELIST"]
    os.environ |= {
        "RANK": os.environ["SLURM_PROCID"],
        "WORLD_SIZE": str(tasks),
        "LOCAL_RANK": os.environ["SLURM_LOCALID"],
        "LOCAL_WORLD_SIZE": per_node[1],
        "GROUP_RANK": os.environ["SLURM_NODEID"],
        "MASTER_ADDR": os.environ.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(nodes),
    }
    os.environ["MASTER_PORT"] = str(SLURMEnvironment().main_port)
