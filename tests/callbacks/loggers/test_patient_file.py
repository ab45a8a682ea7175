"""A file that loses nothing while its folder is away."""

import errno
import shutil

from litlab.callbacks.loggers.patient_file import PatientFile


def test_a_file_keeps_what_it_could_not_write(run, folder_away):
    path = run / "file"
    path.write_bytes(b"head")
    file = PatientFile(path, head=b"head")
    file.write(b" one")
    back = folder_away(run)
    file.write(b" two")
    file.write(b" three")
    assert file.failure.errno == errno.ENOTDIR
    back()
    file.flush()
    assert (path.read_bytes(), file.failure) == (b"head one two three", None)
    with path.open("ab") as other:  # as a disk that was full may leave it
        other.write(b" fo")
    file.write(b" four")
    assert path.read_bytes() == b"head one two three four"
    shutil.rmtree(run)
    run.mkdir()
    file.write(b" five")
    assert path.read_bytes() == b"head five"


def test_a_file_that_could_not_be_made_is_made_later(run, folder_away):
    back = folder_away(run)
    file = PatientFile(run / "file", head=b"head")
    file.write(b"head")
    assert file.failure is not None
    back()
    file.write(b" one")
    file.flush()
    assert (run / "file").read_bytes() == b"head one"
