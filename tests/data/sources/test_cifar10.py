"""CIFAR-10's pickles: they are read, and no code in them is run."""

import io
import os
import pickle
import struct
import tarfile
from functools import partial

import pytest
from tiny_release import assert_same

from litlab.data.sources import SourcesFailedError, load, prepare
from litlab.data.sources.cifar10 import cifar_archive, cifar_folder


def python2_pickle(images, labels, in_columns=False):
    """The pickle that Python 2 wrote for CIFAR-10, opcode by opcode: Python 3 cannot write such strings."""
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
    pickle.loads(files["data_batch_1"])  # the trap works if Python loads it
    assert trap.exists()


def test_a_pickle_reaches_nothing_through_numpy(tmp_path, colour, colour_release):
    call = b"cnumpy\nfromfile\n(U\x0b/etc/passwdtR."  # numpy's own functions can read files
    write_archive(tmp_path / "cifar-10-python.tar.gz", cifar_files(colour) | {"test_batch": call})
    with pytest.raises(SourcesFailedError, match=r"refused to load numpy\.fromfile"):
        prepare(colour_release([cifar_archive()]), tmp_path)
