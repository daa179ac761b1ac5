"""Which pictures of a run are drawn, and what they say."""

import pytest

from pipelines import run_figures
from tests.pipelines.finished_run import make_run


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model": {"distance": "similarity"}}, "similarity"),
        ({"model": {"distance": "distance"}}, "error"),
        ({"model": {"distance": "similarity", "force_base_distance": True}}, "signal"),
        ({"model": {}}, "signal"),
        ({"name": "novelty", "distance": "similarity"}, "similarity"),
        ({"name": "novelty", "distance": "distance"}, "error"),
        ({"name": "scenes"}, "signal"),
    ],
)
def test_figures_call_the_signal_what_it_is(tmp_path, monkeypatch, config, expected):
    folder = make_run(tmp_path)
    folder.write_run("finished", {"config": config})
    names = []
    draw = run_figures.figures.signal_figure

    def noted(*arguments, signal_name):
        names.append(signal_name)
        return draw(*arguments, signal_name=signal_name)

    monkeypatch.setattr(run_figures.figures, "signal_figure", noted)
    run_figures.draw_figures(folder, ["a"], None)
    assert names == [expected]
