"""The JSON files of Ego4D Goal-Step: steps and substeps as two levels, odd ones told."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.annotations import read_truth
from tests.pipelines.annotations.files import (
    SHARED,
    goal_step_video,
    refusal,
    segment,
    write,
    write_goal_step,
)


def test_steps_and_substeps_are_two_levels(tmp_path):
    path = write_goal_step(
        tmp_path / "g.json",
        goal_step_video(
            "u-1",
            segment(0, 10, "Make tea: Boil  water", [segment(0, 4, "fill"), segment(4, 10.0, "wait")]),
            segment(12.5, 20, "Make tea: Pour", []),
        ),
        goal_step_video("u-2", segment(1, 2, "rest")),
        goal_step_video("u-3"),
    )
    truth = read_truth(path)
    assert truth.dataset == "Ego4D Goal-Step"
    assert truth.videos == {
        "u-1": {
            "step": [(0, 10, "Make tea: Boil water"), (12.5, 20, "Make tea: Pour")],
            "substep": [(0, 4, "fill"), (4, 10, "wait")],
        },
        "u-2": {"step": [(1, 2, "rest")]},
    }
    assert truth.notes == ()


def test_times_are_those_of_the_whole_video(tmp_path):
    video = goal_step_video("u", segment(532.5, 540), start_time=531.8, end_time=1956.8)
    truth = read_truth(write_goal_step(tmp_path / "g.json", video))
    assert truth.videos["u"]["step"] == [(532.5, 540, "stir")]
    assert truth.notes == ("1 video whose annotation begins later than the video (the first: u, at 531.8 s)",)


def test_odd_segments_are_left_out_or_kept_and_told(tmp_path):
    path = write_goal_step(
        tmp_path / "g.json",
        goal_step_video(
            "u",
            segment(5, 5, segments=[segment(5, 6, "in a faulty step")]),
            segment(float("nan"), 5),
            segment("3", 5),
            segment(-1, 5),
            segment(True, 5),
            segment(10**400, 5),
            "step",
            segment(20, 61, segments=[segment(15, 30), segment(20, 21, segments=[segment(20, 20.5)])]),
            {**segment(19, 22), "step_category": None},
            {**segment(23, 24), "segments": {"a": 1}},
        ),
        goal_step_video("", segment(0, 1)),
        "video",
        {"video_uid": "w", "segments": None},
    )
    truth = read_truth(path)
    assert truth.videos == {
        "u": {
            "step": [(20, 61, "stir"), (19, 22, ""), (23, 24, "stir")],
            "substep": [(5, 6, "in a faulty step"), (15, 30, "stir"), (20, 21, "stir")],
        }
    }
    assert set(truth.notes) == {
        "1 step left out: end_time is not after start_time (the first: u)",
        "5 steps left out: a time is no number of seconds (the first: u)",
        "1 step left out: it is no object (the first: u)",
        "1 step reaching past the end of the video (the first: u)",
        "2 substeps reaching out of the step above (the first: u)",
        "1 substep with segments of its own, which are left out (the first: u)",
        "1 element left out: `segments` is no list (the first: u)",
        "1 of 3 events of level substep begin before the one before them has ended",
        "2 videos left out: no video_uid (the first: videos[1])",
        "2 of 3 events of level step begin before the one before them has ended",
        "1 of 3 events of level step stand after one that begins later",
    }


def test_one_video_in_two_entries_is_one_video(tmp_path):
    path = write_goal_step(
        tmp_path / "g.json", goal_step_video("u", segment(0, 1)), goal_step_video("u", segment(2, 3))
    )
    assert read_truth(path).videos == {"u": {"step": [(0, 1, "stir"), (2, 3, "stir")]}}


def test_files_without_a_usable_step_are_refused(tmp_path):
    path = write_goal_step(tmp_path / "g.json", goal_step_video("u"))
    assert "holds no usable step: no video has segments" in refusal(path)
    write_goal_step(path, goal_step_video("u", segment(3, 2)))
    assert "1 step left out: end_time is not after start_time" in refusal(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"videos": [{"video_uid"', "is not whole JSON"),
        ("", "is not whole JSON"),
        ("[1, 2]", "found no object"),
        ("{}", "found an empty object"),
        ('{"videos": {"u": 1}}', "a list `videos`"),
        ('{"version": 1, "clips": []}', "found 'version', 'clips'"),
        ("[" * 100_000, "is no JSON of annotations"),
        ("NaN", "found no object"),
        ("1" * 5000, "is no JSON of annotations"),
    ],
)
def test_other_json_is_refused(tmp_path, text, message):
    assert message in refusal(write(tmp_path / "g.json", text))


times = st.integers(0, 10**7).map(lambda value: value / 1000)
segments = st.tuples(times, st.integers(1, 10**6).map(lambda value: value / 1000), st.text(max_size=8)).map(
    lambda given: (given[0], given[0] + given[1], given[2])
)
steps = st.lists(st.tuples(segments, st.lists(segments, max_size=4)), min_size=1, max_size=8)


@given(videos=st.dictionaries(st.uuids().map(str), steps, min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, videos):
    content = []
    for uid, held in videos.items():
        written = [
            segment(start, end, label, [segment(*substep) for substep in below])
            for (start, end, label), below in held
        ]
        content.append(goal_step_video(uid, *written))
    truth = read_truth(write_goal_step(tmp_path_factory.mktemp("goal") / "g.json", *content))

    def plain(event: tuple[float, float, str]) -> tuple[float, float, str]:
        return event[0], event[1], " ".join(event[2].split())

    for uid, held in videos.items():
        assert truth.videos[uid]["step"] == [plain(step) for step, _ in held]
        below = [plain(substep) for _, substeps in held for substep in substeps]
        assert truth.videos[uid].get("substep", []) == below


@pytest.mark.skipif(not SHARED.is_dir(), reason="the annotations are not beside the project")
def test_the_validation_set():
    path = SHARED / "ego4d-goalstep" / "goalstep_valid.json"
    truth = read_truth(path)
    counts = {
        level: sum(len(levels.get(level, [])) for levels in truth.videos.values())
        for level in ("step", "substep")
    }
    assert (len(truth.videos), counts) == (134, {"step": 3349, "substep": 4347})
    first = json.loads(path.read_text())["videos"][0]
    events = truth.videos[first["video_uid"]]["step"]
    assert events[0] == (2.94661, 40.19131, "Make baked goods: Knead the dough in a dough mixer")
    notes = "; ".join(truth.notes)
    for told in (
        "9 steps reaching past the end of the video",
        "3 substeps reaching past the end of the video",
        "243 substeps reaching out of the step above",
        "1 video whose annotation begins later than the video (the first: 4194c6fa-04c4-4206-",
        "59 of 3349 events of level step begin before the one before them has ended",
    ):
        assert told in notes
