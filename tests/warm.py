"""Starts the scripts in processes that have imported torch and Lightning already.

To import them takes most of the time of a short run. So one process for each pytest process imports them once, and
forks for each script: `Warm(...)` takes the place of `subprocess.Popen`. What a fork does from there on is what a new
process does: it has a pid, signals, a folder, an environment and an end of its own, and litlab is imported in it.
"""

import atexit
import contextlib
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

IMPORTED = ("torch", "torchvision", "torchmetrics", "lightning.pytorch", "hydra", "hydra.main", "matplotlib.figure")


class Warm:
    """A process that runs a Python script. It has the methods of `subprocess.Popen` that the tests use.

    Args:
        arguments: the script, and its arguments.
        cwd: its folder.
        env: its environment.
        start_new_session: whether it has a process group of its own.
    """

    def __init__(self, arguments: Sequence[Any], cwd: Path, env: Mapping[str, str], start_new_session: bool) -> None:
        self.args = [str(argument) for argument in arguments]
        self.returncode: int | None = None
        (out, out_end), (err, err_end), (self._status, status_end) = os.pipe(), os.pipe(), os.pipe()
        asked = {"argv": self.args, "cwd": str(cwd), "env": dict(env), "new_session": start_new_session}
        message = json.dumps(asked).encode()
        server = _server()
        socket.send_fds(server, [len(message).to_bytes(4, "big")], [out_end, err_end, status_end])
        server.sendall(message)
        for end in (out_end, err_end, status_end):
            os.close(end)
        self.pid = int.from_bytes(_exactly(server, 4), "big")
        self.stdout, self.stderr = os.fdopen(out), os.fdopen(err)
        os.set_blocking(self._status, False)

    def poll(self) -> int | None:
        if self.returncode is None:
            try:
                status = os.read(self._status, 4)
            except BlockingIOError:
                return None
            os.close(self._status)
            assert status, "the process that forks has died"
            self.returncode = os.waitstatus_to_exitcode(int.from_bytes(status, "big"))
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        texts = {self.stdout: b"", self.stderr: b""}
        with selectors.DefaultSelector() as ready:
            for file in texts:
                ready.register(file, selectors.EVENT_READ)
            while ready.get_map():
                if time.monotonic() > deadline:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
                for key, _ in ready.select(0.5):
                    if not (chunk := os.read(key.fd, 2**16)):
                        ready.unregister(key.fileobj)
                    texts[key.fileobj] += chunk  # type: ignore[index]
        self.wait(None if timeout is None else max(0.0, deadline - time.monotonic()))
        for file in texts:
            file.close()
        out, err = (text.decode(errors="backslashreplace") for text in texts.values())
        return out, err

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


_servers: dict[int, socket.socket] = {}  # of this process


def _server() -> socket.socket:
    """The way to the process that forks. It is started at the first call, and ends when this process does."""
    if os.getpid() not in _servers:
        ours, theirs = socket.socketpair()
        subprocess.Popen([sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd="/")
        theirs.close()
        _servers[os.getpid()] = ours
        atexit.register(ours.close)
    return _servers[os.getpid()]


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        if not chunk:
            raise EOFError
        received += chunk
    return received


# In the process that forks


def serve(connection: socket.socket) -> dict[str, Any]:
    """Forks for each message. Returns, in the forked process, what it is to run."""
    status_of: dict[int, int] = {}  # pid: where its status is awaited
    with selectors.DefaultSelector() as ready:
        ready.register(connection, selectors.EVENT_READ)
        while True:
            asked = ready.select(0.02)
            while status_of and (ended := os.waitpid(-1, os.WNOHANG))[0]:
                end = status_of.pop(ended[0])
                with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
                    os.write(end, ended[1].to_bytes(4, "big"))
                os.close(end)
            if not asked:
                continue
            size, ends, *_ = socket.recv_fds(connection, 4, 3)
            if not size:  # the tests have ended
                os._exit(0)
            message = json.loads(_exactly(connection, int.from_bytes(size, "big")))
            pid = os.fork()
            if pid == 0:
                connection.close()
                become(message, ends)
                return message
            for end in ends[:2]:
                os.close(end)
            status_of[pid] = ends[2]
            connection.sendall(pid.to_bytes(4, "big"))


def become(message: dict[str, Any], ends: Sequence[int]) -> None:
    """Takes the folder, the environment and the output of the process that is to be."""
    if message["new_session"]:
        os.setsid()
    os.chdir(message["cwd"])
    os.environ.clear()
    os.environ.update(message["env"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    for end, standard in ((nothing, 0), (ends[0], 1), (ends[1], 2)):
        os.dup2(end, standard)
    os.closerange(3, 256)
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = message["argv"]
    searched = [str(Path(sys.argv[0]).parent), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.path[:] = [*searched, *(entry for entry in sys.path[1:] if entry not in searched)]


if __name__ == "__main__":
    for name in IMPORTED:
        __import__(name)
    gc.freeze()  # a collection writes to all objects, and a fork copies what is written to
    runpy.run_path(serve(socket.socket(fileno=int(sys.argv[1])))["argv"][0], run_name="__main__")
