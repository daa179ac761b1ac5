"""The CSV files of EPIC-KITCHENS: time stamps are trusted, classes are labels, odd rows are told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.annotations import read_truth
from tests.pipelines.annotations.files import (
    EPIC_55,
    EPIC_TEST,
    SHARED,
    epic_row,
    refusal,
    stamp,
    write,
    write_epic,
)


def test_the_files_of_both_datasets_are_told_apart(tmp_path):
    row = epic_row("P01_11", 61.5, 63.1)
    for header, dataset in ((None, "EPIC-KITCHENS-100"), (EPIC_55, "EPIC-KITCHENS-55")):
        path = write_epic(tmp_path / "a.csv", row, **({"header": header} if header else {}))
        truth = read_truth(path)
        assert truth.dataset == dataset
        assert truth.videos == {"P01_11": {"action": [(61.5, 63.1, "take plate")]}}
        assert (truth.notes, truth.background) == ((), frozenset())


def test_a_file_with_both_kinds_of_ids_is_of_the_newer_dataset(tmp_path):
    path = write_epic(tmp_path / "a.csv", epic_row("P01_11", 0, 1), header=f"narration_id,{EPIC_55}")
    assert read_truth(path).dataset == "EPIC-KITCHENS-100"


def test_words_of_one_class_have_the_label_of_the_most_frequent_one(tmp_path):
    words = [
        ("take", 0, "pan", 1),
        ("grab", 0, "saucepan", 1),
        ("take", 0, "saucepan", 1),
        ("put", 1, "pan", 1),
    ]
    words += [("put", 1, "saucepan", 1)]
    rows = [
        epic_row("v", i, i + 1, verb=verb, verb_class=verb_class, noun=noun, noun_class=noun_class)
        for i, (verb, verb_class, noun, noun_class) in enumerate(words)
    ]
    labels = [label for *_, label in read_truth(write_epic(tmp_path / "a.csv", *rows)).videos["v"]["action"]]
    assert labels == ["take saucepan"] * 3 + ["put saucepan"] * 2


def test_words_without_classes_stand_for_themselves(tmp_path):
    rows = [
        epic_row("v", 0, 1, verb="take", verb_class="", noun="", noun_class=""),
        epic_row("v", 1, 2, verb="grab", verb_class="", noun="cup", noun_class=""),
    ]
    labels = [label for *_, label in read_truth(write_epic(tmp_path / "a.csv", *rows)).videos["v"]["action"]]
    assert labels == ["take", "grab cup"]


def test_test_sets_have_no_labels(tmp_path):
    truth = read_truth(write_epic(tmp_path / "t.csv", epic_row("P01_11", 0, 1.89), header=EPIC_TEST))
    assert truth.videos == {"P01_11": {"action": [(0, 1.89, "")]}}
    assert truth.notes == ("the rows name no verbs and nouns, so events have no labels",)


@pytest.mark.parametrize("rate", [60, 50])
def test_frame_numbers_count_extracted_frames(tmp_path, rate):
    row = epic_row("v", 100.3, 200.7, start_frame=int(100.3 * rate), stop_frame=int(200.7 * rate) + 1)
    truth = read_truth(write_epic(tmp_path / "a.csv", row))
    assert (truth.videos["v"]["action"], truth.notes) == ([(100.3, 200.7, "take plate")], ())


def test_time_stamps_are_trusted_where_frame_numbers_disagree(tmp_path):
    rows = [
        epic_row("v", 100, 101, start_frame=2997, stop_frame=3027),
        epic_row("v", 102, 103, start_frame="x"),
    ]
    truth = read_truth(write_epic(tmp_path / "a.csv", *rows))
    assert [event[:2] for event in truth.videos["v"]["action"]] == [(100, 101), (102, 103)]
    assert truth.notes == (
        "1 row with frame numbers that are neither 60 nor 50 times the time stamps (the first: line 2)",
    )


def test_odd_rows_are_left_out_and_told(tmp_path):
    rows = [
        epic_row("v", 5, 6),
        epic_row("", 0, 1),
        epic_row("v", 2, 2),
        epic_row("v", 3, 1),
        epic_row("v", 0, 1, stop_timestamp="1.5"),
        epic_row("v", 0, 1, start_timestamp=""),
        epic_row("v", 0, 1, start_timestamp="00:00:nan"),
        epic_row("v", 4, 5.5),
    ]
    truth = read_truth(write_epic(tmp_path / "a.csv", *rows))
    assert [event[:2] for event in truth.videos["v"]["action"]] == [(5, 6), (4, 5.5)]
    assert truth.notes == (
        "1 row left out: no video_id (the first: line 3)",
        "2 rows left out: stop_timestamp is not after start_timestamp (the first: line 4)",
        "3 rows left out: a time stamp is not hours:minutes:seconds (the first: line 6)",
        "1 of 2 events of level action begin before the one before them has ended",
        "1 of 2 events of level action stand after one that begins later",
    )


def test_a_file_without_a_usable_row_is_refused(tmp_path):
    assert "holds no usable action: it has no rows" in refusal(write_epic(tmp_path / "a.csv"))
    message = refusal(write_epic(tmp_path / "a.csv", epic_row("v", 2, 2), epic_row("v", 1, 1)))
    assert "2 rows left out: stop_timestamp is not after start_timestamp (the first: line 2)" in message


def test_narrations_are_no_actions(tmp_path):
    path = write(
        tmp_path / "n.csv",
        "participant_id,video_id,start_timestamp,stop_timestamp,narration\nP01,P01_01,00:00:01.089,00:00:02.629,a\n",
    )
    message = refusal(path)
    assert (
        "no table of EPIC-KITCHENS (video_id, start_timestamp, stop_timestamp, and narration_id or uid)"
        in message
    )


def test_columns_of_two_formats_are_refused(tmp_path):
    header = "uid,video_id,start_timestamp,stop_timestamp,level,start_s,end_s,label"
    assert "has both the columns" in refusal(write(tmp_path / "a.csv", f"{header}\n"))


hundredths = st.integers(0, 4 * 360_000).map(lambda value: value / 100)
actions = st.lists(
    st.tuples(
        st.sampled_from(["P01_11", "P02_103", "P07_07"]),
        hundredths,
        st.integers(1, 9999).map(lambda value: value / 100),
        st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1, max_size=9),
    ),
    min_size=1,
    max_size=30,
)


@given(actions=actions)
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, actions):
    rows = [
        epic_row(video, start, start + length, verb=word, verb_class="", noun="", noun_class="")
        for video, start, length, word in actions
    ]
    truth = read_truth(write_epic(tmp_path_factory.mktemp("epic") / "a.csv", *rows))
    expected: dict[str, list[tuple[float, float, str]]] = {}
    for video, start, length, word in actions:
        expected.setdefault(video, []).append((start, round(start + length, 2), word))
    assert {video: levels["action"] for video, levels in truth.videos.items()} == expected
    assert stamp(3723.05) == "01:02:03.05"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the annotations are not beside the project")
def test_the_validation_set_of_epic_kitchens_100():
    truth = read_truth(SHARED / "epic-kitchens-100" / "EPIC_100_validation.csv")
    assert truth.dataset == "EPIC-KITCHENS-100"
    events = [event for levels in truth.videos.values() for event in levels["action"]]
    assert (len(truth.videos), len(events)) == (138, 9668)
    assert len({label for *_, label in events}) == 1352
    assert truth.videos["P01_11"]["action"][:2] == [(0.0, 1.89, "take plate"), (1.56, 2.45, "put-down plate")]
    assert truth.notes == (
        "2450 of 9668 events of level action begin before the one before them has ended",
        "841 of 9668 events of level action stand after one that begins later",
    )
