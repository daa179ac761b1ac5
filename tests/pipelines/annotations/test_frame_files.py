"""Text files that count in frames: Breakfast and 50 Salads, a file or a folder at a time."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.annotations import read_truth
from tests.pipelines.annotations.files import SHARED, refusal, write

TEA = "P16_cam01_P16_tea"


def test_a_label_per_frame(tmp_path):
    path = write(tmp_path / f"{TEA}.txt", "SIL\n" * 15 + "pour_water\n" * 30 + "SIL\n" * 3)
    truth = read_truth(path)
    assert truth.videos == {TEA: {"action": [(0, 1, "SIL"), (1, 3, "pour_water"), (3, 3.2, "SIL")]}}
    assert (truth.dataset, truth.background, truth.notes) == ("Breakfast", frozenset({"SIL"}), ())


def test_rows_of_breakfast_itself(tmp_path):
    path = write(tmp_path / f"{TEA}.txt", "1-15 SIL  \n16-45 pour_water\r\n46-48 SIL\n\n")
    assert read_truth(path).videos == {
        TEA: {"action": [(0, 1, "SIL"), (1, 3, "pour_water"), (3, 3.2, "SIL")]}
    }


def test_rows_of_fifty_salads(tmp_path):
    path = write(
        tmp_path / "rgb-01-1.txt", "1,60,action_start,0\r\n61, 90, cut_tomato,4\r\n91,120,mix dressing\r\n"
    )
    truth = read_truth(path)
    assert truth.videos == {
        "rgb-01-1": {"action": [(0, 2, "action_start"), (2, 3, "cut_tomato"), (3, 4, "mix dressing")]}
    }
    assert truth.dataset == "50 Salads"
    assert truth.background == {"action_start", "action_end"}


def test_a_label_per_frame_of_fifty_salads(tmp_path):
    path = write(tmp_path / "rgb-01-1", "action_start\n" * 30 + "cut_tomato\n" * 15)
    assert read_truth(path).videos == {
        "rgb-01-1": {"action": [(0, 1, "action_start"), (1, 1.5, "cut_tomato")]}
    }


def test_the_name_tells_where_labels_do_not(tmp_path):
    for name, end in (("P03_webcam02_P03_milk.txt", 1), ("P23_stereo01_P23_tea", 1), ("rgb-24-2.txt", 0.5)):
        truth = read_truth(write(tmp_path / name, "pour\n" * 15))
        assert next(iter(truth.videos.values())) == {"action": [(0, end, "pour")]}


def test_an_unknown_dataset_has_an_unknown_frame_rate(tmp_path):
    message = refusal(write(tmp_path / "S1_Cheese_C1.txt", "background\ntake\n"))
    assert "how many frames make a second is unknown too" in message
    assert "Breakfast has rows" in message
    assert "50 Salads has rows" in message


@pytest.mark.parametrize(
    ("name", "text"),
    [(f"{TEA}.txt", "action_start\n"), ("rgb-01-1.txt", "SIL\n"), ("x.txt", "SIL\naction_end\n")],
)
def test_a_file_that_could_be_of_two_datasets_is_refused(tmp_path, name, text):
    assert "could be of" in refusal(write(tmp_path / name, text))


def test_odd_lines_are_left_out_and_told(tmp_path):
    frames = write(tmp_path / f"{TEA}.txt", "SIL\n" * 15 + "\n" * 15 + "pour water\n" + "pour\n" * 14)
    truth = read_truth(frames)
    assert truth.videos[TEA]["action"] == [(0, 1, "SIL"), (31 / 15, 3, "pour")]
    assert truth.notes == (f"2 gaps of frames without a label (the first: {TEA}.txt, line 16)",)
    rows = write(tmp_path / "rgb-01-1.txt", "1,30,cut\nnonsense\n40,39,mix\n0,9,mix\n20,50,mix\n5,6,add\n")
    truth = read_truth(rows)
    assert truth.videos["rgb-01-1"]["action"] == [
        (0, 1, "cut"),
        (19 / 30, 50 / 30, "mix"),
        (4 / 30, 0.2, "add"),
    ]
    assert truth.notes == (
        "1 line left out: it is no row of an event (the first: rgb-01-1.txt, line 2)",
        "1 row left out: its last frame is before its first (the first: rgb-01-1.txt, line 3)",
        "1 row left out: frames count from 1 (the first: rgb-01-1.txt, line 4)",
        "1 of 3 events of level action begin before the one before them has ended",
        "1 of 3 events of level action stand after one that begins later",
    )


def test_a_folder_is_searched_in_full(tmp_path):
    write(tmp_path / "tea" / f"{TEA}.txt", "1-15 SIL\n")
    write(tmp_path / "tea" / f"{TEA}.xml", "<x/>")
    write(tmp_path / "milk" / "P03_cam01_P03_milk", "pour\n" * 15)
    write(tmp_path / ".git" / "HEAD.txt", "SIL\n")
    truth = read_truth(tmp_path)
    assert sorted(truth.videos) == ["P03_cam01_P03_milk", TEA]
    assert truth.notes == (f"1 file of another kind left alone (the first: {TEA}.xml)",)


def test_a_damaged_file_costs_itself(tmp_path):
    write(tmp_path / f"{TEA}.txt", "SIL\n")
    write(tmp_path / "empty.txt", "\n\n")
    write(tmp_path / "README.txt", "Labels per frame.\n")
    (tmp_path / "P99_cam01_P99_tea.txt").write_bytes(b"SIL\n\xff\xfe\n")
    truth = read_truth(tmp_path)
    assert list(truth.videos) == [TEA]
    (note,) = truth.notes
    assert note.startswith("3 files left out (the first: P99_cam01_P99_tea.txt: is not UTF-8 text")


def test_folders_of_nothing_or_of_two_datasets_are_refused(tmp_path):
    assert "found no file" in refusal(tmp_path)
    write(tmp_path / "EPIC_100_validation.csv", "x\n")
    assert "(the first: EPIC_100_validation.csv); name another folder, or one file" in refusal(tmp_path)
    write(tmp_path / f"{TEA}.txt", "SIL\n")
    write(tmp_path / "rgb-01-1.txt", "1,3,cut,0\n")
    assert f"holds {TEA}.txt of Breakfast and rgb-01-1.txt of 50 Salads" in refusal(tmp_path)


def test_two_files_of_one_video_must_agree(tmp_path):
    write(tmp_path / "a" / f"{TEA}.txt", "1-30 SIL\n")
    write(tmp_path / "b" / f"{TEA}.txt", "SIL\n" * 30)
    assert read_truth(tmp_path).videos == {TEA: {"action": [(0, 2, "SIL")]}}
    write(tmp_path / "b" / f"{TEA}.txt", "SIL\n" * 29)
    assert f"a/{TEA}.txt and b/{TEA}.txt annotate one video differently" in refusal(tmp_path)


runs = st.lists(
    st.tuples(st.sampled_from(["SIL", "pour_water", "add_saltnpepper"]), st.integers(1, 400)),
    min_size=1,
    max_size=12,
)


@given(runs=runs)
@settings(max_examples=50, deadline=None)
def test_frames_and_rows_tell_the_same(tmp_path_factory, runs):
    runs = [run for place, run in enumerate(runs) if place == 0 or runs[place - 1][0] != run[0]]
    frames, rows, end = "", "", 0
    for label, count in runs:
        frames += f"{label}\n" * count
        rows += f"{end + 1}-{end + count} {label}\n"
        end += count
    folder = tmp_path_factory.mktemp("frames")
    by_frame = read_truth(write(folder / "frames" / f"{TEA}.txt", frames)).videos[TEA]["action"]
    by_row = read_truth(write(folder / "rows" / f"{TEA}.txt", rows)).videos[TEA]["action"]
    assert by_frame == by_row
    assert [label for *_, label in by_row] == [label for label, _ in runs]
    assert (by_row[0][0], by_row[-1][1]) == (0, end / 15)
    assert all(before[1] == after[0] for before, after in pairwise(by_row))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the annotations are not beside the project")
def test_real_files():
    breakfast = read_truth(SHARED / "breakfast")
    cereals = breakfast.videos["P16_cam01_P16_cereals"]["action"]
    assert [label for *_, label in cereals] == ["SIL", "pour_cereals", "pour_milk", "SIL"]
    assert cereals[-1][1] == 544 / 15
    egg = breakfast.videos["P16_cam01_P16_friedegg"]["action"]
    assert (len(egg), egg[-1][1]) == (8, 6932 / 15)
    salads = read_truth(SHARED / "50salads")
    assert {name: len(levels["action"]) for name, levels in salads.videos.items()} == {
        "rgb-01-1": 15,
        "rgb-01-2": 19,
    }
    assert salads.videos["rgb-01-1"]["action"][-1] == (10342 / 30, 11686 / 30, "action_end")
    assert breakfast.notes == salads.notes == ()
