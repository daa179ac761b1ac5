"""Annotations find the videos of a run in the folders in which datasets arrive."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.annotations import Truth
from streamer.errors import TruthError

EVENTS = {"action": [(0.0, 1.0, "a")]}


def truth(*video_ids: str, dataset: str | None = "EPIC-KITCHENS-100") -> Truth:
    return Truth(Path("t.csv"), dict.fromkeys(video_ids, EVENTS), notes=("odd",), dataset=dataset)


def refusal(annotations: Truth, *known: str) -> str:
    with pytest.raises(TruthError) as caught:
        annotations.for_videos(known)
    assert "\n" not in str(caught.value)
    assert "t.csv" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("annotated", "known"),
    [
        ("P01_11", "P01_11"),
        ("P01_11", "P01/P01_11"),
        ("P01_11", "P01/videos/P01_11"),
        ("P01_11", "EPIC-KITCHENS/P01/videos/P01_11"),
        ("46d00bf5-ed73-4e5f-84eb-9c880eec10d8", "v2/full_scale/46d00bf5-ed73-4e5f-84eb-9c880eec10d8"),
        ("P16_cam01_P16_cereals", "P16/cam01/P16_cereals"),
        ("P16_cam01_P16_cereals", "BreakfastII_15fps_qvga_sync/P16/cam01/P16_cereals"),
        ("P23_stereo01_P23_tea", "P23/stereo/P23_tea_ch0"),
        ("P23_stereo01_P23_tea", "flat/P23_stereo01_P23_tea"),
        ("rgb-01-1", "rgb/rgb-01-1"),
        ("P01_11", "P01/P01_11.MP4"),
    ],
)
def test_layouts(annotated, known):
    found = truth(annotated).for_videos([known, "other/one"])
    assert found.videos == {known: EVENTS}
    expected = () if annotated == known else (f"1 video found by name, such as {annotated} as {known}",)
    assert found.notes == ("odd", *expected)


def test_the_id_itself_comes_first():
    found = truth("P01_11", "a/P01_11").for_videos(["P01_11", "a/P01_11", "b/P01_11"])
    assert list(found.videos) == ["P01_11", "a/P01_11"]


def test_both_channels_of_a_stereo_camera_share_their_annotation():
    found = truth("P23_stereo01_P23_tea").for_videos(["P23/stereo/P23_tea_ch0", "P23/stereo/P23_tea_ch1"])
    assert found.videos == {"P23/stereo/P23_tea_ch0": EVENTS, "P23/stereo/P23_tea_ch1": EVENTS}
    assert "could be" in refusal(
        truth("P23_stereo01_P23_tea"), "a/P23/stereo/P23_tea_ch0", "b/P23/stereo/P23_tea_ch0"
    )


def test_channels_of_other_cameras_are_not_taken_for_stereo():
    assert "annotates none" in refusal(truth("P23_cam01_P23_tea"), "P23/cam/P23_tea_ch0")


def test_a_name_that_several_videos_have_is_refused_with_both():
    message = refusal(truth("P01_11"), "P01/videos/P01_11", "small/P01_11")
    assert "'P01_11' could be P01/videos/P01_11 or small/P01_11" in message
    message = refusal(truth("P01_11"), "P01/P01_11.mp4", "P01/P01_11.mkv")
    assert "'P01_11' could be P01/P01_11.mkv or P01/P01_11.mp4" in message


def test_two_names_for_one_video_are_refused():
    message = refusal(truth("P01_11", "P01/P01_11"), "P01/P01_11")
    assert "annotates P01/P01_11 twice, as 'P01_11' and as 'P01/P01_11'" in message


def test_a_dataset_may_annotate_other_videos():
    found = truth("P01_11", "P01_12", "P01_13").for_videos(["P01/P01_12", "P02/P02_01"])
    assert found.videos == {"P01/P01_12": EVENTS}
    assert found.notes[1:] == (
        "1 video found by name, such as P01_12 as P01/P01_12",
        "2 of 3 annotated videos are not among the inputs",
    )
    assert found.videos.keys() <= {"P01/P01_12", "P02/P02_01"}


def test_a_dataset_of_other_videos_alone_is_refused():
    message = refusal(truth("P01_11", "P01_12", "P01_13"), "kitchen", "garden")
    assert "annotates none of the 2 videos: they are called 'garden' and 'kitchen'" in message
    assert "those of EPIC-KITCHENS-100 'P01_11' and 'P01_12', ..." in message


def test_this_projects_format_may_not():
    message = refusal(truth("P01_11", "P01_21", dataset=None), "P01/P01_11", "P01/P01_12")
    assert "1 of 2 video_ids are unknown: 'P01_21' (nearest known:" in message
    found = truth("P01_11", dataset=None).for_videos(["P01/P01_11"])
    assert found.videos == {"P01/P01_11": EVENTS}


def test_fitting_twice_changes_nothing():
    known = ["P01/P01_11", "P02/P02_01"]
    once = truth("P01_11", "P09_01").for_videos(known)
    assert once.for_videos(known) == once


parts = st.lists(st.text("ab_/.", min_size=1, max_size=6), min_size=1, max_size=6, unique=True)


@given(annotated=parts, known=parts)
def test_whatever_the_names_only_known_videos_are_left(annotated, known):
    try:
        found = truth(*annotated).for_videos(known)
    except TruthError:
        return
    assert set(found.videos) <= set(known)
    assert found.videos.keys() <= set(known)
    assert set(annotated) & set(known) <= set(found.videos)


def test_a_run_may_be_of_some_of_the_videos_that_any_file_annotates():
    own = truth("P01_11", "P01_12", dataset=None)
    found = own.of_some_of(["P01/P01_11", "P09/P09_01"])
    assert found.videos == {"P01/P01_11": EVENTS}
    assert found.notes[-1] == "1 of 2 annotated videos are not among the inputs"
    assert own.of_some_of(["P01_11", "P01_12"]) == own
    with pytest.raises(TruthError, match="2 of 2 video_ids are unknown"):
        own.of_some_of(["P09_01"])
