"""`sweep.html`, and the live table."""

import json
import re
import shutil
import subprocess

import pytest
from rich.console import Console
from sweep_folders import job_of, scored

from litlab import runs, sweeps
from litlab.sweeps.labels import Labels
from litlab.sweeps.page import FILE, content, importance, write_page
from litlab.sweeps.stopping import note_number_of_jobs
from litlab.sweeps.table import write_csv
from litlab.sweeps.watch import has_ended, picture, summary, watch


def make(folder, count):
    for number in range(count):
        settings = [f"optimizer.lr={10 ** -(1 + number % 5)}", f"model={'mlp' if number % 2 else 'lenet5'}"]
        job = job_of(folder, f"job={number}", settings, **scored(0.5 + (number % 5) / 10), seconds=1.0)
        (job / "metrics.csv").write_text("epoch,step,val/acc\n0,10,0.4\n1,20,0.5\n")
    return sweeps.read(folder)


def test_the_page_is_one_file_with_all_that_is_known(tmp_path):
    make(tmp_path, 3)
    job_of(tmp_path, "bad", ["optimizer.lr=1", "+data.note='</script>'"], status="failed", error="a <b> & c")
    sweep = sweeps.read(tmp_path)
    write_page(sweep)
    text = (tmp_path / FILE).read_text()
    assert not re.findall(r"""(?:src|href)=["']""", text), "it needs no other file"
    assert not [link for link in re.findall(r"https?://\S+", text) if "w3.org" not in link]
    assert text.count("</script>") == 1
    data = json.loads(re.search(r"const sweep = (.*);\n", text)[1])
    assert data == content(sweep)
    assert [job["rank"] for job in data["jobs"]] == [1, 2, 3, 4]
    assert data["jobs"][0]["curve"] == [[1, 0.4], [2, 0.5]]
    assert data["jobs"][3]["error"] == "a <b> & c"


def test_what_matters_is_found_by_optuna(tmp_path):
    pytest.importorskip("optuna")
    found = importance(make(tmp_path, 20))
    assert found["of"]["optimizer.lr"] > found["of"]["model"]
    assert found["method"] in ("fANOVA", "PED-ANOVA")


def test_few_jobs_say_nothing_of_what_matters(tmp_path):
    assert importance(make(tmp_path, 3)) is None


def test_long_values_are_numbered_and_listed(tmp_path, capsys):
    short, long = "[random_crop]", "[random_crop,random_horizontal_flip,cutout]"
    for number, value in enumerate((short, long)):
        job_of(tmp_path, f"job={number}", [f"data.augment={value}", f"seed={number}"], **scored(0.5 + number / 10))
    sweep = sweeps.read(tmp_path)
    labels = Labels(sweep)
    assert labels.lines == [f"data.augment #1 = {long}", f"data.augment #2 = {short}"]
    assert labels.of(sweep.jobs[0], sweep.swept) == "augment=#1 seed=1"
    sweeps.print_report(tmp_path)
    assert f"  data.augment #1 = {long}\n" in capsys.readouterr().out


def test_the_page_has_means_over_seeds(tmp_path):
    for number, (lr, seed) in enumerate([(0.1, 1), (0.1, 2), (0.01, 1), (0.01, 2)]):
        job_of(tmp_path, f"job={number}", [f"optimizer.lr={lr}", f"seed={seed}"], **scored(0.5 + number / 10))
    found = content(sweeps.read(tmp_path))
    assert (found["repeated"], len(found["means"])) == ("seeds", 2)
    assert found["means"][0]["settings"] == {"optimizer.lr": "0.01"}
    assert [found["means"][0][key] for key in ("mean", "count")] == [pytest.approx(0.75), 2]
    assert content(make(tmp_path / "other", 2))["means"] == []


def test_the_live_table_shows_what_runs(tmp_path):
    make(tmp_path, 2)
    job = job_of(tmp_path, "seed=9", ["seed=9"])
    (job / "metrics.csv").write_text("epoch,step,val/acc\n0,10,0.4\n1,20,0.45\n")
    _lock = runs.hold(job)
    sweep = sweeps.read(tmp_path)
    assert summary(sweep) == "2 of 3 jobs done, 1 running, best val/acc 0.6000"
    job_of(tmp_path, "seed=8", ["seed=8"], status="failed")
    note_number_of_jobs(tmp_path, 6)  # two have no folder yet
    assert summary(sweeps.read(tmp_path)) == "2 of 6 jobs done, 1 failed, 1 running, best val/acc 0.6000"
    shown = Console(width=120)
    with shown.capture() as captured:
        shown.print(picture(sweep))
    assert "running  seed=9  epoch 2: 0.4500" in captured.get()


def test_the_live_table_ends_when_the_sweep_has_written_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("litlab.sweeps.watch.ENDED_S", 0.02)
    sweep = make(tmp_path, 2)
    assert not has_ended(sweep)
    write_csv(sweep)
    assert has_ended(sweep)
    watch(tmp_path, every=0.01)
    assert "2 of 2 jobs done, 0 running, best val/acc 0.6000" in capsys.readouterr().out.splitlines()
    _lock = runs.hold(sweep.jobs[0].folder)
    (sweep.jobs[0].folder / runs.RESULT).unlink()
    assert not has_ended(sweeps.read(tmp_path))


def in_a_browser(folder):
    """The page of a sweep as Chromium has drawn it."""
    chromium = shutil.which("chromium") or pytest.skip("needs Chromium")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"file://{folder / FILE}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.browser
@pytest.mark.parametrize("count", [3, 30, 300])
def test_a_browser_draws_the_page(count, tmp_path):
    write_page(make(tmp_path, count))
    page = in_a_browser(tmp_path)
    assert page.count("<tr") == count + 1
    assert page.count('class="line"') == 2 * count


def heights(page):
    """The heights of the points of each curve, in pixels from the top."""
    curves = re.search(r'<g clip-path="url\(#plot\)">(.*?)</g>', page, re.DOTALL)[1]
    return {
        int(rank): [float(point.split(",")[1]) for point in path[1:].split("L")]
        for path, rank in re.findall(r'd="(.*?)".*?data-job="(\d+)"', curves)
    }


@pytest.mark.browser
@pytest.mark.parametrize(
    ("odd", "beyond"), [([0.1] * 5, False), ([2.3, 9, 20, 1e8, 1e20], True), ([2.3, 1, 0.9, 0.8, 0.8], False)]
)
def test_curves_are_cut_only_where_one_would_press_the_others_together_and_the_page_says_so(odd, beyond, tmp_path):
    """A curve that is cut leaves the plot. It once ran along its edge, as if these were its values."""
    for number in range(7):
        values = [0.3, 0.7, 0.74, 0.78, 0.8 + number / 1000] if number else odd
        job = job_of(tmp_path, f"job={number}", [f"seed={number}"], **scored(values[-1]))
        lines = (f"{epoch},1,{value}\n" for epoch, value in enumerate(values))
        (job / "metrics.csv").write_text("epoch,step,val/acc\n" + "".join(lines))
    sweep = sweeps.read(tmp_path)
    write_page(sweep)
    page = in_a_browser(tmp_path)
    top, bottom = 14, 341
    found = heights(page)
    assert len(found) == 7
    rank = next(rank for rank, job in enumerate(sweep.jobs, 1) if job.folder.name == "job=0")
    inside = {rank for rank, points in found.items() if all(top <= up <= bottom for up in points)}
    assert inside == found.keys() - ({rank} if beyond else set())
    assert page.count('class="beyond"') == beyond
    assert ('id="cut"' in page) == beyond
    if beyond:
        assert all(up < 0 for up in found[rank][1:])
        assert "1 of 7 jobs have values beyond it (▲ ▼). All values are between 0.3000 and 1.000e+20." in page
