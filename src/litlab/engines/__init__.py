"""How a run's steps are run: one a Lightning batch, in blocks, or as replays of a captured CUDA graph.

    eager   Lightning's own loop: a batch, a step
    blocks  a Lightning batch is a block of steps, run without Lightning in between
    graph   the same, each step a replay of one captured CUDA graph

Lightning keeps devices, precision, epochs, validation, checkpoints and loggers. A block ends where something happens
between two steps (`Plan`). Lightning counts it as the batches that it holds (`StepClock`), so checkpoints, signals,
progress and resume see steps, and a checkpoint does not say which engine wrote it.
"""

from litlab.engines.blocks import Blocks
from litlab.engines.choose import choose_engine
from litlab.engines.graph import GraphBlocks

__all__ = ["Blocks", "GraphBlocks", "choose_engine"]
