"""The table of a merge tree, one row per node of one video, and its Parquet file."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from streamer.atomic import atomic_write
from streamer.errors import HierarchyError
from streamer.events_table import REMEDY, VideoFacts, read_metadata, read_table
from streamer.hierarchy import Hierarchy
from streamer.merge_tree import MergeTree

TREE_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("node", pa.int32()),
        ("left", pa.int32()),
        ("right", pa.int32()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("snippets", pa.int32()),
        ("height", pa.float64()),
    ]
)


def write_tree(
    hierarchy: Hierarchy, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes the tree of a hierarchy that has one as one Parquet file, whole or not at all.

    Args:
        hierarchy: the hierarchy.
        path: the file to make or replace; its folder must exist.
        metadata: entries of the schema's metadata that are added.

    Raises:
        OSError: the file cannot be written.
    """
    tree = hierarchy.tree
    assert tree is not None, "no tree to write"
    nodes = 2 * tree.events - 1
    leaf = np.arange(nodes) < tree.events
    none = np.zeros(tree.events, np.int64)
    columns = [
        pa.array([hierarchy.video_id] * nodes, pa.string()),
        pa.array(np.arange(nodes), pa.int32()),
        pa.array(np.concatenate([none, tree.left]), pa.int32(), mask=leaf),
        pa.array(np.concatenate([none, tree.right]), pa.int32(), mask=leaf),
        pa.array(tree.start_s),
        pa.array(tree.end_s),
        pa.array(tree.snippets, pa.int32()),
        pa.array(np.concatenate([none.astype(np.float64), tree.height])),
    ]
    facts = VideoFacts(hierarchy.duration_s, hierarchy.snippet_size, hierarchy.snippets).to_metadata()
    schema = TREE_SCHEMA.with_metadata({**(metadata or {}), **facts})
    with atomic_write(path) as temporary:
        pq.write_table(
            pa.Table.from_arrays(columns, schema=schema),
            temporary,
            compression="zstd",
            write_page_checksum=True,
        )


def read_tree(path: str | os.PathLike[str], hierarchy: Hierarchy) -> MergeTree:
    """Reads a file that `write_tree` wrote, and checks it.

    Args:
        path: the file.
        hierarchy: of the same video: its level 0 must be what was merged.

    Raises:
        HierarchyError: the file is missing, damaged, no tree, or not of this hierarchy.
    """
    table = read_table(path)
    try:
        if table.schema.names != TREE_SCHEMA.names or table.schema.types != TREE_SCHEMA.types:
            raise HierarchyError(f"no merge tree: its columns are not {', '.join(TREE_SCHEMA.names)}")
        read_metadata(table.schema.metadata or {})
        return _checked(table, hierarchy)
    except HierarchyError as error:
        raise HierarchyError(f"{os.fspath(path)}: {error}; {REMEDY}") from error


def _checked(table: pa.Table, hierarchy: Hierarchy) -> MergeTree:
    count = (table.num_rows + 1) // 2
    arrays = {name: table[name].to_numpy() for name in ("node", "start_s", "end_s", "snippets", "height")}
    wanted = 2 * len(hierarchy.levels[0]) - 1
    if table.num_rows != wanted:
        raise HierarchyError(f"has {table.num_rows} nodes, but the video's events ask for {wanted}")
    if set(table["video_id"].to_pylist()) != {hierarchy.video_id}:
        raise HierarchyError(f"is not of {hierarchy.video_id}")
    if not np.array_equal(arrays["node"], np.arange(table.num_rows)):
        raise HierarchyError("nodes are not in order")
    left, right = (_children(table, name, count) for name in ("left", "right"))
    tree = MergeTree(
        arrays["start_s"],
        arrays["end_s"],
        arrays["snippets"].astype(np.int64),
        left,
        right,
        arrays["height"][count:],
    )
    _check_nodes(tree, hierarchy)
    return tree


def _children(table: pa.Table, name: str, count: int) -> np.ndarray:
    column = table[name].combine_chunks()
    if column[:count].null_count != count or column[count:].null_count:
        raise HierarchyError(f"{name} must be null for events, and for them alone")
    return column[count:].to_numpy().astype(np.int64)


def _check_nodes(tree: MergeTree, hierarchy: Hierarchy) -> None:
    """Checks that every node is what it says it is made of.

    Raises:
        HierarchyError: naming the node.
    """
    count, nodes = tree.events, np.arange(2 * tree.events - 1)
    mergers, left, right = nodes[count:], tree.left, tree.right
    used = np.sort(np.concatenate([left, right]))
    if not np.array_equal(used, nodes[:-1]) or (np.maximum(left, right) >= mergers).any():
        raise HierarchyError("nodes do not make one tree")
    starts, ends = (np.array(times) for times in zip(*hierarchy.segments(0), strict=True))
    checks = {
        "does not begin and end with its event": np.concatenate(
            [(tree.start_s[:count] != starts) | (tree.end_s[:count] != ends), np.zeros(count - 1, bool)]
        ),
        "is not made of neighbours": _of_mergers(tree, tree.end_s[left] != tree.start_s[right]),
        "does not begin and end with its parts": _of_mergers(
            tree,
            (tree.start_s[count:] != tree.start_s[left]) | (tree.end_s[count:] != tree.end_s[right]),
        ),
        "has not the snippets of its parts": _of_mergers(
            tree, tree.snippets[count:] != tree.snippets[left] + tree.snippets[right]
        ),
        "is lower than the one before": _of_mergers(tree, ~(np.diff(tree.height, prepend=0.0) >= 0)),
    }
    for what, wrong in checks.items():
        if wrong.any():
            raise HierarchyError(f"node {int(np.argmax(wrong))} {what}")


def _of_mergers(tree: MergeTree, wrong: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(tree.events, bool), wrong])
