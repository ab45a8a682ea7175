"""Which process of a run this is, by the environment variables that torchrun sets."""

import os


def is_rank() -> bool:
    """Whether torchrun, SLURM or litlab has started this process as a rank, be it the only one."""
    return "RANK" in os.environ


def by_torchrun() -> bool:
    """Whether torchrun has started this process. It passes on a Ctrl-C that the terminal sends to all of them."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def rank() -> int:
    """The number of this process among all of its run, from 0."""
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    """The number of processes of the run."""
    return int(os.environ.get("WORLD_SIZE", 1))


def local_size() -> int:
    """The number of its processes on this host."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", world_size()))


def hosts() -> int:
    """The number of hosts on which its processes are."""
    return world_size() // local_size()
