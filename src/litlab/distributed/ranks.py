"""Which of a run's processes this one is, by the variables that torchrun sets."""

import os


def is_rank() -> bool:
    """Whether a launcher has started this process as one of several (or as the only one, but in the same way)."""
    return "RANK" in os.environ


def rank() -> int:
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    """How many processes the run has."""
    return int(os.environ.get("WORLD_SIZE", 1))


def local_size() -> int:
    """How many of them are on this host."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", world_size()))


def hosts() -> int:
    """On how many hosts they are."""
    return world_size() // local_size()
