"""Files of finished videos: where they lie, what other tools read in them."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.run_folder import RunFolder
from pipelines.store import SIGNALS_SCHEMA, HierarchyStore, read_signals
from streamer.hierarchy import Hierarchy
from streamer.signals import Signal
from tests.pipelines.finished_run import make_hierarchy

# As the lane hands them out: upper levels first within a snippet.
SIGNALS = [
    Signal(1, 0, 0.5, False),
    Signal(4, 1, -0.25, False),
    Signal(4, 0, 0.125, True),
    Signal(5, 0, 1.0, False),
]
METADATA = {"streamer.config": json.dumps({"seed": 3}), "streamer.model": "train:1"}
HOSTILE = [
    "../../escape",
    "/etc/passwd",
    "..",
    ".hidden",
    "_x",
    "a/../../b",
    "con",
    "a\x00b",
    "%2e%2e",
    "é" * 300,
]


def write(root, video_id="dir/one", *, signals=True) -> RunFolder:
    folder = RunFolder(root)
    HierarchyStore(folder, METADATA, signals=signals).write(make_hierarchy(video_id), SIGNALS)
    return folder


def test_hierarchy_comes_back_with_its_metadata(tmp_path):
    folder = write(tmp_path)
    stored = Hierarchy.from_parquet(folder.hierarchy_of("dir/one"))
    assert stored.to_arrow().to_pylist() == make_hierarchy("dir/one").to_arrow().to_pylist()
    assert dict(stored.metadata) == METADATA
    assert pq.read_schema(folder.hierarchy_of("dir/one")).metadata[b"streamer.schema_version"]


def test_signals_are_ordered_by_level_and_time(tmp_path):
    folder = write(tmp_path)
    table = read_signals(folder, "dir/one")
    assert table is not None
    assert table.schema == SIGNALS_SCHEMA
    assert {key.decode(): value.decode() for key, value in table.schema.metadata.items()} == METADATA
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("dir/one", 0, 1, 0.5, 0.5, False),
        ("dir/one", 0, 4, 2.0, 0.125, True),
        ("dir/one", 0, 5, 2.5, 1.0, False),
        ("dir/one", 1, 4, 2.0, -0.25, False),
    ]


def test_signals_are_optional(tmp_path):
    folder = write(tmp_path, signals=False)
    assert read_signals(folder, "dir/one") is None
    assert not folder.signals.exists()


def test_hierarchy_is_written_last(tmp_path, monkeypatch):
    """What marks a video as finished must not be there before all the rest is."""
    write_table = pq.write_table

    def fill_disk(table, path, **options):
        if path.parent.name == "signals":
            raise OSError("disk full")
        write_table(table, path, **options)

    monkeypatch.setattr(pq, "write_table", fill_disk)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path)
    assert not RunFolder(tmp_path).hierarchy_of("dir/one").exists()


def test_pandas_reads_the_files(tmp_path):
    folder = write(tmp_path)
    events = pd.read_parquet(folder.hierarchy)
    assert events.groupby("level")["event"].count().tolist() == [6, 4, 2]
    assert events["start_s"].dtype == "float64"
    assert pd.read_parquet(folder.signals)["boundary"].sum() == 1


def test_duckdb_reads_the_files(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    folder = write(tmp_path)
    write(tmp_path, "two")
    query = f"select video_id, max(end_s), count(*) from '{folder.hierarchy}/*.parquet' group by 1 order by 1"
    assert duckdb.sql(query).fetchall() == [("dir/one", 20.0, 12), ("two", 20.0, 12)]
    assert duckdb.sql(f"select count(*) from '{folder.signals}/*.parquet'").fetchall() == [(8,)]


@pytest.mark.parametrize("video_id", HOSTILE)
def test_no_id_leads_out_of_the_folder(tmp_path, video_id):
    folder = write(tmp_path / "run", video_id)
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
    for place in (folder.hierarchy, folder.signals):
        [path] = place.iterdir()
        assert path.is_file()
        assert path.suffix == ".parquet"
    assert Hierarchy.from_parquet(folder.hierarchy_of(video_id)).video_id == video_id


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(min_size=1))
def test_ids_name_files_directly_below_their_folder(one, other):
    folder = RunFolder("/run")
    assert folder.hierarchy_of(one).parent == folder.hierarchy
    assert folder.signals_of(one).resolve().parent == folder.signals
