import pytest
import yaml

from litlab import runs


def test_what_hydra_recorded_loses_its_absolute_paths(quick_run):
    """`quick_run` was trained through the script, which does this for its folder."""
    recorded = quick_run.runs[0] / ".hydra/hydra.yaml"
    text = recorded.read_text()
    assert "\n    cwd: .\n" in text
    assert str(quick_run.folder) not in text
    runtime = yaml.safe_load(text)["hydra"]["runtime"]
    assert {source["path"] for source in runtime["config_sources"] if source["schema"] == "file"} == {"conf"}


def test_a_file_is_written_once(tmp_path):
    recorded = tmp_path / "hydra.yaml"
    runtime = {"cwd": "/home/me", "output_dir": "/home/me/runs/a", "config_sources": [{"schema": "pkg", "path": "a.b"}]}
    recorded.write_text(yaml.safe_dump({"hydra": {"runtime": runtime}, "kept": [1, None, "x"]}))
    runs.remove_absolute_paths(recorded)
    assert yaml.safe_load(recorded.read_text()) == {
        "hydra": {"runtime": runtime | {"cwd": ".", "output_dir": "."}},
        "kept": [1, None, "x"],
    }
    before = recorded.stat().st_mtime_ns, recorded.stat().st_ino
    runs.remove_absolute_paths(recorded)
    assert (recorded.stat().st_mtime_ns, recorded.stat().st_ino) == before
    runs.remove_absolute_paths(tmp_path / "none.yaml")
    assert list(tmp_path.iterdir()) == [recorded]


@pytest.mark.parametrize("written", [b"", b"hydra:\n", b"hydra: [1\n", b"\xff"])
def test_a_damaged_record_names_no_folders_of_configs(written, tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra/hydra.yaml").write_bytes(written)
    assert runs.config_dirs(tmp_path) == []


@pytest.mark.parametrize(
    "written", ["", "hydra:\n", "hydra:\n  runtime:\n    cwd: /a\n", "hydra:\n  runtime: {cwd: '/a"]
)
def test_a_file_that_another_start_is_writing_is_left_to_it(written, tmp_path):
    recorded = tmp_path / "hydra.yaml"
    recorded.write_text(written)
    runs.remove_absolute_paths(recorded)
    assert recorded.read_text() == written
