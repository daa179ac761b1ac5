"""Which pictures of a run are drawn, and what they say."""

import pytest

from pipelines import run_figures
from tests.pipelines.finished_run import make_run


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"distance": "similarity"}, "similarity"),
        ({"distance": "distance"}, "error"),
        ({"distance": "similarity", "force_base_distance": True}, "signal"),
        ({}, "signal"),
    ],
)
def test_figures_call_the_signal_what_it_is(tmp_path, monkeypatch, model, expected):
    folder = make_run(tmp_path)
    folder.write_run("finished", {"config": {"model": model}})
    names = []
    draw = run_figures.figures.signal_figure

    def noted(*arguments, signal_name):
        names.append(signal_name)
        return draw(*arguments, signal_name=signal_name)

    monkeypatch.setattr(run_figures.figures, "signal_figure", noted)
    run_figures.draw_figures(folder, ["a"], None)
    assert names == [expected]
