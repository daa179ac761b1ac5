"""Trees as files: they come back, and one that is damaged or of something else is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamer.errors import HierarchyError
from streamer.hierarchy import Event, Hierarchy
from streamer.merged_levels import with_merged_levels
from streamer.tree_table import TREE_SCHEMA, read_tree, write_tree
from tests.streamer.tiny import tiny


def merged(events: int = 6, video_id: str = "v") -> Hierarchy:
    random = np.random.default_rng(0)
    level = [
        Event(float(k), float(k + 1), 0.5, 0.5, random.normal(size=8).astype(np.float32))
        for k in range(events)
    ]
    config = tiny(evolve_every=100_000, upper_levels="merged")
    return with_merged_levels(Hierarchy(video_id, float(events), 0.5, [level], 2 * events), config)


@pytest.mark.parametrize("events", [1, 2, 6])
def test_a_tree_comes_back(events, tmp_path):
    hierarchy = merged(events)
    write_tree(hierarchy, tmp_path / "v.parquet", {"streamer.model": "x"})
    assert hierarchy.tree is not None
    tree = read_tree(tmp_path / "v.parquet", hierarchy)
    for name in ("start_s", "end_s", "snippets", "left", "right", "height"):
        np.testing.assert_array_equal(getattr(tree, name), getattr(hierarchy.tree, name))
    metadata = pq.read_schema(tmp_path / "v.parquet").metadata
    assert (metadata[b"streamer.model"], metadata[b"streamer.schema_version"]) == (b"x", b"1")


def rewritten(path: Path, column: str, row: int, value: Any) -> None:
    table = pq.read_table(path)
    values = table[column].to_pylist()
    values[row] = value
    place = table.schema.get_field_index(column)
    pq.write_table(
        table.set_column(place, table.schema.field(place), pa.array(values, TREE_SCHEMA.types[place])), path
    )


@pytest.mark.parametrize(
    ("column", "row", "value", "what"),
    [
        ("video_id", 3, "w", "is not of v"),
        ("node", 2, 7, "nodes are not in order"),
        ("left", 0, 1, "left must be null for events"),
        ("right", 8, None, "right must be null for events"),
        ("left", 7, 9, "nodes do not make one tree"),
        ("start_s", 1, 0.5, "node 1 does not begin and end with its event"),
        ("end_s", 6, 0.25, "node 6 does not begin and end with its parts"),
        ("snippets", 10, 3, "node 10 has not the snippets of its parts"),
        ("height", 10, 0.0, "node 10 is lower than the one before"),
        ("height", 7, float("nan"), "is lower than the one before"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(column, row, value, what, tmp_path):
    path, hierarchy = tmp_path / "v.parquet", merged()
    write_tree(hierarchy, path)
    rewritten(path, column, row, value)
    with pytest.raises(HierarchyError, match=what) as error:
        read_tree(path, hierarchy)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_tree_of_other_events_is_refused(tmp_path):
    write_tree(merged(6), tmp_path / "v.parquet")
    with pytest.raises(HierarchyError, match="has 11 nodes, but the video's events ask for 9"):
        read_tree(tmp_path / "v.parquet", merged(5))


def test_files_that_are_no_tree_are_refused(tmp_path):
    hierarchy = merged()
    with pytest.raises(HierarchyError, match="no such file"):
        read_tree(tmp_path / "none.parquet", hierarchy)
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(HierarchyError, match="not a readable Parquet file"):
        read_tree(tmp_path / "text.parquet", hierarchy)
    hierarchy.to_parquet(tmp_path / "events.parquet")
    with pytest.raises(HierarchyError, match="no merge tree"):
        read_tree(tmp_path / "events.parquet", hierarchy)
