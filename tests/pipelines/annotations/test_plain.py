"""Annotation files: what is read from them and what every fault in them is answered with."""

from pathlib import Path

import pandas as pd
import pytest

from pipelines.annotations import clip_to_duration, read_truth
from streamer.errors import TruthError

HEADER = "video_id,level,start_s,end_s,label\n"
SHARED = Path(__file__).resolve().parents[4] / "shared" / "videos" / "truth.csv"


def write(tmp_path, text, name="truth.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path):
    with pytest.raises(TruthError) as caught:
        read_truth(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_csv_keeps_names_order_and_labels(tmp_path):
    path = write(
        tmp_path,
        HEADER
        + '0012,scene,4,8.5,"cut, then stir"\n0012,motion,0,4,\nb/c,scene,1e-3,2,ü\n0012,scene,0,4,a\n',
    )
    truth = read_truth(path)
    assert truth.videos == {
        "0012": {"scene": [(4, 8.5, "cut, then stir"), (0, 4, "a")], "motion": [(0, 4, "")]},
        "b/c": {"scene": [(0.001, 2, "ü")]},
    }


def test_csv_may_have_a_byte_order_mark_more_columns_and_another_order(tmp_path):
    path = write(tmp_path, "\ufefflabel,end_s,start_s,rater,level,video_id\r\nx,2,1,7,l,v\r\n")
    assert read_truth(path).videos == {"v": {"l": [(1, 2, "x")]}}


def test_parquet_equals_csv(tmp_path):
    rows = {
        "video_id": ["0012", "0012"],
        "level": [0, 1],
        "start_s": [0, 1],
        "end_s": [1.5, 2],
        "label": ["a", None],
        "rater": [1, 2],
    }
    path = tmp_path / "truth.parquet"
    pd.DataFrame(rows).to_parquet(path)
    assert read_truth(path).videos == {"0012": {"0": [(0, 1.5, "a")], "1": [(1, 2, "")]}}


def test_missing_file(tmp_path):
    assert "no such truth file" in refusal(tmp_path / "absent.csv")


def test_other_kind_of_file(tmp_path):
    assert "is no known format" in refusal(write(tmp_path, HEADER, "truth.txt"))
    assert "not .xlsx; give one of these" in refusal(write(tmp_path, HEADER, "truth.xlsx"))


def test_missing_columns_are_named_beside_the_found(tmp_path):
    message = refusal(write(tmp_path, "video_id,begin,end_s,label\nv,0,1,a\n"))
    assert "lacks the columns level, start_s" in message
    assert "'begin'" in message


def test_empty_file_and_header_alone(tmp_path):
    assert "found none" in refusal(write(tmp_path, ""))
    assert "no events" in refusal(write(tmp_path, HEADER))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("v,l,one,2,a", "line 3: start_s is 'one'"),
        ("v,l,1,,a", "line 3: end_s is empty"),
        ("v,l,nan,2,a", "line 3: start_s is 'nan'"),
        ("v,l,0,inf,a", "line 3: end_s is 'inf'"),
        ("v,l,-1,2,a", "line 3: start_s -1.0 is negative"),
        ("v,l,2,2,a", "line 3: end_s 2.0 is not after start_s 2.0"),
        (",l,1,2,a", "line 3: video_id is empty"),
        ("v,,1,2,a", "line 3: level is empty"),
        ("v,l,1", "line 3: end_s is empty"),
        ("v,l,1,2,a,b", "line 3: more values than columns"),
    ],
)
def test_faulty_row_is_named(tmp_path, row, message):
    assert message in refusal(write(tmp_path, f"{HEADER}v,l,0,1,a\n{row}\n"))


def test_text_that_is_no_csv(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_bytes(HEADER.encode() + b"v,l,0,1,\xff\n")
    assert "UTF-8" in refusal(path)
    assert "not a readable CSV" in refusal(write(tmp_path, HEADER + 'v,l,0,1,"open\n'))


def test_file_that_is_no_parquet(tmp_path):
    assert "not a readable Parquet" in refusal(write(tmp_path, HEADER, "truth.parquet"))


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("start_s", ["zero"], "column start_s is"),
        ("video_id", [1.5], "column video_id is double"),
        ("end_s", [float("nan")], "row 1: end_s is"),
        ("level", [None], "row 1: level is empty"),
    ],
)
def test_faulty_parquet_is_named(tmp_path, column, values, message):
    rows = {"video_id": ["v"], "level": ["l"], "start_s": [0.0], "end_s": [1.0], "label": ["a"]}
    path = tmp_path / "truth.parquet"
    pd.DataFrame({**rows, column: values}).to_parquet(path)
    assert message in refusal(path)


def test_known_videos_pass(tmp_path):
    truth = read_truth(write(tmp_path, HEADER + "v,l,0,1,a\n"))
    assert truth.for_videos(["u", "v"]).videos == truth.videos


def test_unknown_videos_are_named_counted_and_corrected(tmp_path):
    rows = "".join(f"kitchen_{index:02}.mp4,l,0,1,a\n" for index in range(7))
    truth = read_truth(write(tmp_path, HEADER + "v,l,0,1,a\n" + rows))
    with pytest.raises(TruthError) as caught:
        truth.for_videos({"v", "kitchen_03"})
    message = str(caught.value)
    assert "7 of 8 video_ids are unknown" in message
    assert "'kitchen_04.mp4' (nearest known: 'kitchen_03')" in message
    assert "kitchen_05" not in message
    assert "and 2 more" in message


def test_clipping_counts_what_reaches_past_the_end():
    events = [(8.0, 12.0, "b"), (0.0, 5.0, "a"), (10.0, 11.0, "c"), (5.0, 10.0, "d")]
    assert clip_to_duration(events, 10.0) == ([(8.0, 10.0, "b"), (0.0, 5.0, "a"), (5.0, 10.0, "d")], 2)


@pytest.mark.skipif(not SHARED.is_file(), reason="the annotated videos are not beside the project")
def test_real_truth_file():
    truth = read_truth(SHARED)
    assert list(truth.videos) == ["known_cuts_a", "known_cuts_b"]
    assert truth.videos["known_cuts_b"]["scene"][-1] == (73.0, 81.0, "film")
