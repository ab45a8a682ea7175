"""How the page is written."""

import io
from pathlib import Path

from pages import some
from PIL import Image

from litlab.report import try_to_write_page, write_page


def test_a_full_disk_costs_the_picture_alone(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert not try_to_write_page(some(), Path(tmp_path / "file"))
    assert "warning: report.png could not be made: " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_same_run_has_the_same_picture(tmp_path):
    pictures = []
    for _ in range(2):
        write_page(some(), tmp_path)
        pictures.append((tmp_path / "report.png").read_bytes())
    assert pictures[0] == pictures[1]
    Image.open(io.BytesIO(pictures[0])).verify()
