import errno
import os
import resource
import stat

import pytest

from litlab import files


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with files.atomic(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == tmp_path, "a rename from another file system would not be atomic"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_in_the_block_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with files.atomic(path) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        with files.atomic(tmp_path / "a.txt") as temporary:
            temporary.write_text("")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_bytes_are_written_behind_those_that_stay(tmp_path):
    path = tmp_path / "log"
    files.write_at(path, 0, b"first")
    files.write_at(path, 5, b" second, cut short")
    files.write_at(path, 5, b" third")
    assert path.read_bytes() == b"first third"


def test_a_write_that_the_disk_cuts_short_is_an_error(tmp_path):
    """A limit on the size of files stands for the full disk: in both cases the kernel writes a part."""
    path = tmp_path / "log"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
    try:
        with pytest.raises(OSError) as caught:
            files.write_at(path, 0, b"0123456789")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"01234567"
    files.write_at(path, 3, b"more room")
    assert path.read_bytes() == b"012more room"


def test_paths_that_cannot_be_synced_are_passed_over(tmp_path):
    (tmp_path / "a").touch()
    files.try_to_disk(tmp_path / "none", tmp_path / "a", tmp_path)


def test_a_path_is_shown_as_a_user_would_type_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(files.shown(tmp_path / "runs/a")) == "runs/a"
    assert files.shown(tmp_path.parent / "b") == tmp_path.parent / "b"
