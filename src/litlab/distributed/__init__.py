"""The processes of one run: starts them, tells them what to do, watches them, and ends them together."""

from litlab.distributed.devices import ranks_wanted
from litlab.distributed.ending import NotedSignal, end_with, leave, note_signals
from litlab.distributed.heartbeat import Heartbeat
from litlab.distributed.launch import leave_last_word, start_ranks
from litlab.distributed.ranks import by_torchrun, hosts, is_rank, local_size, rank, world_size
from litlab.distributed.store import follow_rank_zero, leading, tell

__all__ = [
    "Heartbeat",
    "NotedSignal",
    "by_torchrun",
    "end_with",
    "follow_rank_zero",
    "hosts",
    "is_rank",
    "leading",
    "leave",
    "leave_last_word",
    "local_size",
    "note_signals",
    "rank",
    "ranks_wanted",
    "start_ranks",
    "tell",
    "world_size",
]
