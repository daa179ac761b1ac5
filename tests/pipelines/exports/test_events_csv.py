import csv
import dataclasses

import pandas as pd
import pytest
from hypothesis import given

from pipelines.annotations import read_truth
from pipelines.exports.events_csv import SCHEMA, EventsCsv
from tests.pipelines.exports.material import HOSTILE, IN_FOLDER, exported, videos
from tests.streamer.test_hierarchy import small


def write(path, *several):
    with EventsCsv(path) as table:
        for video in several:
            table.add(video)
    return path


@given(videos())
@IN_FOLDER
def test_the_table_reads_back_as_annotations(tmp_path, video):
    truth = read_truth(write(tmp_path / "events.csv", video))
    (levels,) = truth.videos.values()
    assert list(levels) == [str(level) for level in video.levels]
    for level in video.levels:
        read = levels[str(level)]
        assert [segment[:2] for segment in read] == video.hierarchy.segments(level)
        assert [segment[2].removeprefix("'") for segment in read] == [
            name.removeprefix("'") for name in video.names[level]
        ]


def test_every_column_of_an_event(tmp_path):
    path = write(tmp_path / "events.csv", exported(small(), [1], {1: ["cut", "pour"]}))
    assert path.read_text().splitlines() == [
        ",".join(f'"{name}"' for name in SCHEMA.names),
        '"P01/a",1,0,2.5,"cut",0,,2,0,0.3125',
        '"P01/a",1,2.5,5,"pour",1,,2,0.3125,',
    ]
    table = pd.read_csv(path)
    assert table["parent"].isna().all()
    assert table["children"].tolist() == [2, 2]


def test_videos_follow_each_other_in_one_table(tmp_path):
    other = exported(dataclasses.replace(small(), video_id="b"), [0])
    truth = read_truth(write(tmp_path / "events.csv", exported(small(), [1]), other))
    assert {video_id: list(levels) for video_id, levels in truth.videos.items()} == {
        "P01/a": ["1"],
        "b": ["0"],
    }


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("@SUM(1+1)", "'@SUM(1+1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("+A1(2)", "'+A1(2)"),
        ("-5KQ66BBWC4", "-5KQ66BBWC4"),
        ("\tx", "'\tx"),
        ("a=b", "a=b"),
    ],
)
def test_what_a_spreadsheet_would_compute_becomes_text(tmp_path, text, cell):
    video = exported(dataclasses.replace(small(), video_id=text), [1], {1: [text, "b"]})
    rows = list(csv.DictReader(write(tmp_path / "events.csv", video).open(newline="")))
    assert [rows[0]["video_id"], rows[0]["label"]] == [cell, cell]


def test_hostile_ids_and_labels_stay_in_their_cells(tmp_path):
    for text in HOSTILE:
        video = exported(dataclasses.replace(small(), video_id=text), [1], {1: ["a", "b"]})
        rows = list(csv.DictReader(write(tmp_path / "events.csv", video).open(newline="", encoding="utf-8")))
        assert len(rows) == 2
        assert rows[1]["video_id"].removeprefix("'") == text
