"""The processes of one run: started, told what to do, watched, and ended together."""

from litlab.distributed.heartbeat import Heartbeat
from litlab.distributed.launch import end_with, leave_last_word, ranks_wanted, start_ranks
from litlab.distributed.ranks import hosts, is_rank, local_size, rank, world_size
from litlab.distributed.store import follow_rank_zero, leading, leave, tell

__all__ = [
    "Heartbeat",
    "end_with",
    "follow_rank_zero",
    "hosts",
    "is_rank",
    "leading",
    "leave",
    "leave_last_word",
    "local_size",
    "rank",
    "ranks_wanted",
    "start_ranks",
    "tell",
    "world_size",
]
