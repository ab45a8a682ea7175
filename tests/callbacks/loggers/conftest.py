import pytest


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


@pytest.fixture
def folder_away():
    """Moves a folder away. None can be made in its place until the returned function brings it back."""

    def move(folder):
        away = folder.with_name("away")
        folder.rename(away)
        folder.touch()

        def back():
            folder.unlink()
            away.rename(folder)

        return back

    return move
