"""Two processes with the variables of torchrun: rank 0 leads, rank 1 does what it is told."""

import os
import socket
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from litlab.distributed import follow_rank_zero, leading, leave, rank, tell

def work(message):
    print(message["job"], message["number"], flush=True)
    if message["number"] == 2 and "fails here" in sys.argv:
        raise ValueError("this disk is full")

if rank() == 0:
    with leading():
        for number in (1, 2):
            tell("count", number=number)
        if "fails there" in sys.argv:
            sys.exit(7)
else:
    leave(follow_rank_zero(work))
"""


def two_processes(*arguments):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = str(probe.getsockname()[1])
    variables = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            env={**os.environ, **variables, "RANK": str(number)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    ended = [process.communicate(timeout=120) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, ended, strict=True)]


@pytest.mark.slow
def test_rank_1_does_what_rank_0_tells_and_ends_with_its_status():
    assert two_processes() == [(0, "", ""), (0, "count 1\ncount 2\n", "")]
    assert two_processes("fails there") == [(7, "", ""), (7, "count 1\ncount 2\n", "")]


@pytest.mark.slow
def test_an_error_that_rank_0_does_not_have_is_told_by_the_process_that_has_it():
    _, (status, out, err) = two_processes("fails here")
    assert (status, out, err) == (1, "count 1\ncount 2\n", "failed: rank 1: this disk is full\n")
