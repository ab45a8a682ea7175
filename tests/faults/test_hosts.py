"""Runs that torchrun or SLURM starts: two processes on one host, and two hosts, of which one dies.

The hosts are two network namespaces joined by a cable (a veth pair). The second has a file system of its own where the
first has the run: nothing is shared but the network.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.compare import differences
from faults.harness import PATHS, RUN, SOON, count, judge, orphans, stopped_process, wait_for
from scripts import REPOSITORY, Finished, finish

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hosts")]  # one after the other: they share a network

TWO = (*RUN, "trainer=ddp_cpu", "trainer.max_epochs=8", "trainer.log_every_n_steps=3")
FAULT = "{_target_: faults.injected.SignalAt, signal_name: SIGSTOP, step: 43, rank: 1, enabled: true}"
ENVIRONMENT = {**os.environ, "HYDRA_FULL_ERROR": "0", "COLUMNS": "120", "OMP_NUM_THREADS": "1", **PATHS}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def start(command: list[str], folder: Path, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def torchrun(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", *arguments]


def one_host(folder: Path, *arguments: str) -> subprocess.Popen:
    return start(torchrun("--standalone", "--nproc-per-node=2", str(REPOSITORY / "train.py"), *arguments), folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Two processes that litlab starts itself."""
    folder = tmp_path_factory.mktemp("undisturbed")
    command = [sys.executable, str(REPOSITORY / "train.py"), *TWO, "hydra.run.dir=run"]
    done = finish(start(command, folder), folder)
    assert done.status == 0, done.err
    return folder / "run"


def test_torchrun_makes_one_folder_and_the_same_run(tmp_path, undisturbed):
    done = finish(one_host(tmp_path, *TWO), tmp_path)
    assert done.status == 0, done.err
    assert done.out.count("epoch 8/8") == 1
    (run,) = done.runs
    assert len(list(tmp_path.glob("runs/*/*"))) == 1
    assert differences(run, undisturbed) == []


def test_under_torchrun_a_mistake_is_said_once_and_leaves_nothing(tmp_path):
    for wrong in ("optimizer.lrr=1", "data.batch_size=33"):
        done = finish(one_host(tmp_path, *TWO, wrong), tmp_path)
        assert done.status != 0
        assert done.err.count("error: ") == 1, done.err
        assert f"error: {wrong.split('=')[0]}" in done.err
        assert list(tmp_path.iterdir()) == []


def test_under_torchrun_a_hung_process_ends_the_run_which_is_resumed(tmp_path, undisturbed):
    process = one_host(tmp_path, *TWO, "hydra.run.dir=run", f"+callbacks.fault={FAULT}")
    wait_for(lambda: stopped_process(tmp_path), process)
    began = time.monotonic()
    done = finish(process, tmp_path)
    assert done.status != 0
    assert time.monotonic() - began < SOON
    assert "rank 1 has not answered for 15 s: it hangs" in done.err
    assert orphans(tmp_path) == []
    done = finish(one_host(tmp_path, "resume=run", "callbacks.fault.enabled=false"), tmp_path)
    judge("torchrun: hung process of two", done, tmp_path / "run", undisturbed)


@pytest.mark.parametrize("moment", ["run/.hydra", "run/train.log"])
def test_under_torchrun_ctrl_c_ends_both_processes_before_they_train(tmp_path, moment):
    """Rank 1 imports the training meanwhile. A traceback of its own left rank 0 waiting, until torchrun killed it."""
    process = one_host(tmp_path, *TWO, "trainer.max_epochs=1000", "hydra.run.dir=run")
    wait_for((tmp_path / moment).exists, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it
    began = time.monotonic()
    done = finish(process, tmp_path)
    assert time.monotonic() - began < 25, done.err  # torchrun kills after 30 s
    assert "interrupted" in done.err
    assert "KeyboardInterrupt" not in done.err
    assert orphans(tmp_path) == []


def test_srun_is_understood(tmp_path, undisturbed):
    """With the variables that SLURM's srun sets for each task."""
    port = str(free_port())
    tasks = []
    for number in range(2):
        variables = {
            "SLURM_PROCID": str(number),
            "SLURM_LOCALID": str(number),
            "SLURM_NODEID": "0",
            "SLURM_NTASKS": "2",
            "SLURM_STEP_NUM_TASKS": "2",
            "SLURM_STEP_TASKS_PER_NODE": "2",
            "SLURM_STEP_NODELIST": "localhost",
            "SLURM_JOB_ID": "4711",
            "MASTER_PORT": port,
        }
        tasks.append(start([sys.executable, str(REPOSITORY / "train.py"), *TWO], tmp_path, **variables))
    ended = [finish(task, tmp_path) for task in tasks]
    assert [done.status for done in ended] == [0, 0], [done.err for done in ended]
    assert ended[1].out == ""
    (run,) = ended[0].runs
    assert differences(run, undisturbed) == []


class Hosts:
    """Two network namespaces and a cable."""

    def __init__(self, name: str) -> None:
        self.names = [f"{name}{number}" for number in range(2)]
        self.processes: list[subprocess.Popen] = []

    def __enter__(self) -> "Hosts":
        if os.geteuid() or not shutil.which("ip"):
            pytest.skip("only root can make network namespaces, with iproute2's ip")
        for name in self.names:
            made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
            if made.returncode:
                pytest.skip(f"no network namespaces here: {made.stderr.strip()}")
        first, second = self.names
        self._ip("link", "add", f"{first}e", "netns", first, "type", "veth", "peer", f"{second}e", "netns", second)
        for number, name in enumerate(self.names, 1):
            self._ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", f"{name}e")
            for link in ("lo", f"{name}e"):
                self._ip("-n", name, "link", "set", link, "up")
        return self

    def __exit__(self, *_: object) -> None:
        for number, name in enumerate(self.names):
            self.kill(number)
            subprocess.run(["ip", "netns", "del", name], check=False)

    def pids(self, number: int) -> list[int]:
        listed = subprocess.run(["ip", "netns", "pids", self.names[number]], capture_output=True, text=True)
        return [int(pid) for pid in listed.stdout.split()]

    def kill(self, number: int) -> None:
        """Everything on this host, at once."""
        for pid in self.pids(number):
            os.kill(pid, signal.SIGKILL)

    def cut(self) -> None:
        """The cable."""
        self._ip("-n", self.names[0], "link", "set", f"{self.names[0]}e", "down")

    def start(self, folder: Path, *arguments: str) -> list[subprocess.Popen]:
        started = []
        for number, name in enumerate(self.names):
            agent = torchrun(
                *("--nnodes=2", "--nproc-per-node=1", f"--node-rank={number}"),
                *("--master-addr=10.77.0.1", "--master-port=29511", str(REPOSITORY / "train.py")),
                *arguments,
            )
            own_disk = ["sh", "-c", 'mount -t tmpfs tmpfs . && cd "$PWD" && exec "$@"', "sh"] if number else []
            command = ["ip", "netns", "exec", name, *own_disk, *agent]
            started.append(start(command, folder, GLOO_SOCKET_IFNAME=f"{name}e"))
        return started

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def hosts():
    with Hosts(f"ll{os.getpid() % 10000}h") as made:
        yield made


def ended(processes: list[subprocess.Popen], folder: Path) -> list[Finished]:
    return [finish(process, folder) for process in processes]


@pytest.mark.parametrize("fault", ["first host killed", "second host killed", "network cut"])
def test_two_hosts(tmp_path, undisturbed, hosts, fault):
    """One dies in the middle of the training; the other ends by itself, and the run is resumed by both."""
    processes = hosts.start(tmp_path, *TWO, "hydra.run.dir=run")
    wait_for(lambda: (tmp_path / "run/checkpoints/previous.ckpt").exists(), processes[0])
    began = time.monotonic()
    if fault == "network cut":
        hosts.cut()
    else:
        hosts.kill(0 if fault.startswith("first") else 1)
    statuses = [done.status for done in ended(processes, tmp_path)]
    assert 0 not in statuses
    assert time.monotonic() - began < SOON
    assert hosts.pids(0) == hosts.pids(1) == []
    if fault == "network cut":
        subprocess.run(["ip", "-n", hosts.names[0], "link", "set", f"{hosts.names[0]}e", "up"], check=True)
    both = ended(hosts.start(tmp_path, "resume=run"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    lost = [done.err for done in both if done.status] or differences(tmp_path / "run", undisturbed)
    count(f"two hosts: {fault}", not lost)
    assert not lost
