"""A file of decoded pictures: what a killed run has left in it, and what is damaged, is never taken for a picture."""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch

from litlab.data.cache_file import CacheFile, identities

NAMES = [f"cat/{number}.jpg" for number in range(10)]
SHAPE = (1, 2, 3)


def wanted(names=NAMES, time=5):
    return identities(names, np.full(len(names), 100), np.full(len(names), time))


def decode(numbers):
    """Pictures that have the number of their file in each pixel, two at a time."""
    for batch in numbers.split(2):
        yield batch.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, *SHAPE).contiguous()


def never(numbers):
    raise AssertionError(f"decodes {numbers.tolist()} again")


def first_pixels(file, wanted, decode):
    images, rows = file.get(wanted, decode)
    assert images.shape[1:] == SHAPE
    return images[rows][:, 0, 0, 0].tolist()


def file_in(folder):
    return CacheFile(folder, "key", SHAPE)


def test_pictures_are_kept_in_whatever_order_they_are_asked_for(tmp_path):
    file = file_in(tmp_path)
    assert first_pixels(file, wanted(), decode) == list(range(10))
    assert first_pixels(file, wanted()[[7, 2, 9]], never) == [7, 2, 9]
    assert file.pictures.stat().st_size == 10 * file.row_bytes


def test_only_what_is_missing_is_decoded_and_added(tmp_path):
    file, asked = file_in(tmp_path), []
    first_pixels(file, wanted()[:4], decode)
    before = file.pictures.read_bytes()
    pixels = first_pixels(file, wanted()[[8, 3, 5]], lambda numbers: asked.append(numbers.tolist()) or decode(numbers))
    assert pixels == [0, 3, 2]
    assert asked == [[0, 2]]  # the numbers among those that are asked for
    assert file.pictures.read_bytes()[: len(before)] == before


def test_an_earlier_reader_keeps_its_pictures_when_all_files_change(tmp_path):
    file = file_in(tmp_path)
    images, rows = file.get(wanted(), decode)
    before = images[rows].clone()
    for changed in (6, 7, 8):
        assert first_pixels(file, wanted(time=changed), decode) == list(range(10))
    assert torch.equal(images[rows], before)
    assert file.pictures.stat().st_size <= 3 * 10 * file.row_bytes  # old pictures do not pile up


@pytest.mark.parametrize("damage", ["index cut", "pictures cut", "no pictures", "no index", "other index"])
def test_a_damaged_file_counts_as_none(tmp_path, damage):
    file = file_in(tmp_path)
    first_pixels(file, wanted(), decode)
    if damage == "index cut":
        file.index.write_bytes(file.index.read_bytes()[:100])
    elif damage == "pictures cut":
        os.truncate(file.pictures, 9 * file.row_bytes)
    elif damage == "no pictures":
        file.pictures.unlink()
    elif damage == "no index":
        file.index.unlink()
    else:
        np.savez(file.index, files=np.zeros((3, 5), np.uint8), format=1)
    assert first_pixels(file, wanted(), lambda numbers: (batch + 20 for batch in decode(numbers))) == list(
        range(20, 30)
    )


def test_what_was_decoded_before_an_error_is_kept(tmp_path):
    def fails(numbers):
        yield from list(decode(numbers))[:3]
        raise KeyboardInterrupt

    file, asked = file_in(tmp_path), []
    with pytest.raises(KeyboardInterrupt):
        file.get(wanted(), fails)
    assert first_pixels(file, wanted()[:6], never) == list(range(6))
    file.get(wanted(), lambda numbers: asked.append(numbers.tolist()) or decode(numbers))
    assert asked == [[6, 7, 8, 9]]


def killed(folder):
    def dies(numbers):
        yield from list(decode(numbers))[:3]
        os.kill(os.getpid(), signal.SIGKILL)

    file_in(folder).get(wanted(), dies)


def fills(folder, counts):
    def counted(numbers):
        counts.put(len(numbers))
        time.sleep(0.2)
        yield from decode(numbers)

    file_in(folder).get(wanted(), counted)


def test_a_killed_run_leaves_nothing_wrong(tmp_path):
    file = file_in(tmp_path)
    first_pixels(file, wanted()[:2], decode)
    process = multiprocessing.get_context("fork").Process(target=killed, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert file.pictures.stat().st_size > 2 * file.row_bytes
    brighter = lambda numbers: (batch + 20 for batch in decode(numbers))  # noqa: E731
    assert first_pixels(file, wanted(), brighter) == [0, 1, *range(22, 30)]


def test_of_several_processes_one_decodes(tmp_path):
    context = multiprocessing.get_context("fork")
    counts = context.Queue()
    processes = [context.Process(target=fills, args=(tmp_path, counts)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert counts.get() == 10
    assert counts.empty()
    assert first_pixels(file_in(tmp_path), wanted(), never) == list(range(10))
