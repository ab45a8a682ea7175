"""Gives up hosts that hang, for downloaders that have no argument for it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

HOST_TIMEOUT = 20  # seconds without a byte, after which a host counts as down


@contextmanager
def socket_timeout(seconds: float = HOST_TIMEOUT) -> Iterator[None]:
    """Sets the timeout of new sockets within the block, in seconds."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
