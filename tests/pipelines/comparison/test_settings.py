"""What differs between runs beside their scores."""

from pipelines.comparison.settings import ABSENT, Difference, differing_inputs, differing_settings
from pipelines.run_folder import VideoRow
from tests.pipelines.comparison.scored_runs import VIDEOS, opened, simple_run
from tests.pipelines.finished_run import entry


def test_only_what_differs_is_listed_under_dotted_names(tmp_path):
    a = simple_run(
        tmp_path / "a", 0, config={"seed": 1, "lanes": 2, "model": {"learning": {"lr": 0.1}, "dim": 8}}
    )
    b = simple_run(
        tmp_path / "b", 1, config={"seed": 1, "lanes": 4, "model": {"learning": {"lr": 0.2}, "dim": 8}}
    )
    assert differing_settings(opened(a, b)) == [
        Difference("lanes", ("2", "4")),
        Difference("model.learning.lr", ("0.1", "0.2")),
    ]


def test_a_setting_that_a_run_does_not_have_is_absent(tmp_path):
    a = simple_run(tmp_path / "a", 0, config={"period": 2.0}, predictor="fixed_period", command="baseline")
    b = simple_run(tmp_path / "b", 1, config={"truth": "x.csv", "lanes": None})
    assert differing_settings(opened(a, b)) == [
        Difference("command", ("baseline", "train")),
        Difference("predictor", ("fixed_period", "streamer")),
        Difference("period", ("2.0", ABSENT)),
        Difference("lanes", (ABSENT, "null")),
    ]


def test_where_a_run_lies_makes_no_difference(tmp_path):
    a = simple_run(tmp_path / "a", 0, config={"tracking_uri": None, "experiment": "x"})
    b = simple_run(tmp_path / "b", 0, config={"tracking_uri": "http://x", "experiment": "y"})
    assert differing_settings(opened(a, b)) == []


def test_other_software_is_a_difference(tmp_path):
    a, b = simple_run(tmp_path / "a", 0), simple_run(tmp_path / "b", 0)
    facts = b.read_run()
    facts["software"]["revision"] = "def456-dirty"
    b.write_run(facts.pop("state"), facts)
    assert differing_settings(opened(a, b)) == [Difference("software.revision", ("abc123", "def456-dirty"))]


def test_inputs_are_compared_by_name_file_and_part(tmp_path):
    a = simple_run(tmp_path / "a", 0)
    b = simple_run(tmp_path / "b", 0)
    assert differing_inputs(opened(a, b)) == ["All runs read the same 8 inputs."]
    others = [
        entry("v0", uri="/elsewhere/v0.mp4"),
        entry("v1", end_s=3.0),
        *map(entry, VIDEOS[2:]),
        entry("more"),
    ]
    b.write_videos(VideoRow(video, "done", None, 20.0, 40) for video in others)
    assert differing_inputs(opened(a, b)) == [
        "b: 1 input that not all runs have: more",
        "2 inputs with the same name that is not the same file or part of one: v0, v1",
    ]
