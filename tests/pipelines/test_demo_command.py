from functools import partial

import pytest

from pipelines.cli import main
from pipelines.demo import command
from pipelines.demo.corpus import render_corpus
from pipelines.run_folder import RunFolder
from tests.pipelines.runs import check_run, statuses


@pytest.fixture
def small_corpus(monkeypatch):
    """Two videos of a few seconds in place of the demo's six of a minute."""
    small = partial(render_corpus, videos=2, seconds=8.0, size=(96, 64), workers=1)
    monkeypatch.setattr(command, "render_corpus", small)


@pytest.mark.ray
def test_the_demo_goes_the_whole_way_in_place_of_an_earlier_one(ray_cluster, small_corpus, tmp_path, capsys):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.write_run("finished", {"config": {"inputs": [str(tmp_path / "corpus" / "videos")]}})
    (folder.root / "left over").write_text("")
    assert main(["demo", "--out", str(tmp_path), "--seed", "1", "--workers", "1"]) == 0
    assert check_run(folder, "finished")["seed"] == 1
    assert set(statuses(folder).values()) == {"done"}
    assert folder.evaluation.is_file()
    assert not (folder.root / "left over").exists()
    printed = capsys.readouterr().out
    page = folder.root / "report" / "index.html"
    assert page.is_file()
    for expected in ("streamer", "dyadic_grid", "'scene'", str(folder.hierarchy), "mlflow ui", str(page)):
        assert expected in printed


def test_a_run_that_is_no_demo_is_left_alone(small_corpus, tmp_path, capsys):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.write_run("finished", {"config": {"inputs": ["/somewhere/else"]}})
    assert main(["demo", "--out", str(tmp_path)]) == 2
    assert "holds a run that is no demo" in capsys.readouterr().err
    assert folder.read_run()["config"]["inputs"] == ["/somewhere/else"]
