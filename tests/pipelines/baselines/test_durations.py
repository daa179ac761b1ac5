"""Tables of durations."""

from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from pipelines.baselines.durations import are_durations, checksum, duration_column, duration_inputs
from pipelines.manifest import CatalogError
from streamer.errors import TruthError


def read(*tables, truth=None):
    console = Console(file=StringIO(), width=200)
    inputs = duration_inputs([str(table) for table in tables], truth, console)
    assert isinstance(console.file, StringIO)
    return inputs, console.file.getvalue()


def write(path, text):
    path.write_text(text)
    return path


def test_a_table_as_datasets_write_it(tmp_path):
    path = write(
        tmp_path / "info.csv",
        "video_id,duration,fps,resolution\nP01_02,502.1,59.94,1920x1080\nP01_01,1652.15,50.0,1x1\n",
    )
    assert are_durations([str(path)])
    inputs, told = read(path)
    assert [(e.video_id, e.duration_s, e.fps, e.uri) for e in inputs.entries] == [
        ("P01_01", 1652.15, 50.0, ""),
        ("P01_02", 502.1, 59.94, ""),
    ]
    assert "2 videos in 1 table of durations, 0.6 hours" in told


def test_the_videos_of_another_run(tmp_path):
    rows = {
        "video_id": ["a", "b"],
        "uri": ["/v/a.mp4", "/v/b.mp4"],
        "duration_s": [3.0, None],
        "fps": [25.0, None],
    }
    pd.DataFrame(rows).to_parquet(tmp_path / "videos.parquet")
    inputs, _ = read(tmp_path / "videos.parquet")
    assert [(e.uri, e.status) for e in inputs.entries] == [("/v/a.mp4", "ready"), ("/v/b.mp4", "failed")]
    assert [e.video_id for e in inputs.videos] == ["a"]


def test_seconds_named_as_such_come_first(tmp_path):
    path = write(tmp_path / "t.csv", "video_id,duration,duration_s\na,00:03,3.5\n")
    assert duration_column(str(path)) == "duration_s"
    assert read(path)[0].videos[0].duration_s == 3.5


@pytest.mark.parametrize("value", ["", "nan", "inf", "-1", "0", "00:03:20", "long"])
def test_what_is_no_duration_fails_its_video_alone(tmp_path, value):
    path = write(tmp_path / "t.csv", f"video_id,duration_s,fps\na,{value},25\nb,2,x\n")
    inputs, _ = read(path)
    failed, ready = inputs.entries
    assert (failed.status, ready.status, ready.fps) == ("failed", "ready", None)
    assert failed.reason == f"duration_s is {value!r}, no number of seconds from 0 to 10000000"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video_id,duration_s\n", "holds no video"),
        ("video_id,duration_s\na,1\na,2\n", "line 3: video_id a was there before"),
        ("video_id,duration_s\n ,1\n", "line 2: video_id is empty"),
        ("video_id,duration_s\na,x\n", "no video has a duration: a: duration_s is 'x'"),
        ("video,duration_s\na,1\n", "lacks the column video_id"),
        ("video_id,duration_s\na,1,2\n", "line 2: more values than columns"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, message):
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(CatalogError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_other_inputs_are_no_tables_of_durations(tmp_path):
    table = write(tmp_path / "t.csv", "video_id,duration_s\na,1\n")
    manifest = write(tmp_path / "m.csv", "video_id,uri\na,a.mp4\n")
    broken = tmp_path / "b.csv"
    broken.write_bytes(b"\xff\xfe\0")
    others = [manifest, broken, write(tmp_path / "b.parquet", "x"), tmp_path, tmp_path / "absent.csv"]
    for other in others:
        assert not are_durations([str(other)])
        with pytest.raises(CatalogError, match="a run takes one kind"):
            are_durations([str(table), str(other)])
    assert not are_durations(["http://localhost/t.csv"])


def test_annotations_must_be_of_the_videos(tmp_path):
    table = write(tmp_path / "t.csv", "video_id,duration_s\na,1\n")
    truth = write(tmp_path / "truth.csv", "video_id,level,start_s,end_s,label\nb,0,0,1,x\n")
    with pytest.raises(TruthError, match="video_ids are unknown"):
        read(table, truth=str(truth))


def test_another_content_is_another_table(tmp_path):
    table = write(tmp_path / "t.csv", "video_id,duration_s\na,1\n")
    before = checksum([str(table)])
    assert checksum([str(table)]) == before
    write(table, "video_id,duration_s\na,2\n")
    assert checksum([str(table)]) != before


def test_durations_that_no_video_has_cost_their_video_alone(tmp_path):
    path = tmp_path / "info.csv"
    path.write_text("video_id,duration\na,33.5\nb,1e300\n")
    found = duration_inputs([str(path)], None, Console(quiet=True))
    assert [video.video_id for video in found.videos] == ["a"]
    assert [(e.video_id, e.reason) for e in found.entries if e.reason] == [
        ("b", "duration is '1e300', no number of seconds from 0 to 10000000")
    ]
