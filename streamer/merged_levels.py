"""Levels above the finest, made of its events when a video has ended.

An event of such a level is represented by the mean vector of its snippets; its `boundary_signal` is the
height at which the boundary after it is removed in the tree of mergers, and its `mean_signal` that of the
finest events in it, weighed by their snippets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from streamer.config import StreamerConfig
from streamer.extractors import COMB
from streamer.hierarchy import Event, Hierarchy
from streamer.merge_cost import Cost, PaletteCost, cosine_ward
from streamer.merge_tree import MergeTree
from streamer.merging import Merging
from streamer.palette import PALETTE_DIM


def with_merged_levels(hierarchy: Hierarchy, config: StreamerConfig) -> Hierarchy:
    """A hierarchy of one level with those above it, as many for every video, and the tree of all mergers.

    Where timescales are named, a level has about as many events as its timescale asks for, and the tree
    decides which number it is near that (`MergeTree.natural_counts`). Otherwise it has those that cost more
    than its price to merge. Each has one at least: of a short video several levels may be one and the same
    event.

    Args:
        hierarchy: of level 0, whose events have representations.
        config: of the model.
    """
    tree = merge_tree(hierarchy, cost_of(config))
    if config.timescales is not None:
        counts = tree.natural_counts([tree.events_of(seconds) for seconds in config.timescales[1:]])
    else:
        counts = [tree.events_above(price) for price in config.merge_prices]
    return replace(
        hierarchy,
        levels=[hierarchy.levels[0], *(merged_level(hierarchy, tree, count) for count in counts)],
        tree=tree,
    )


def cost_of(config: StreamerConfig) -> Cost:
    """The cost that fits the vectors that a model takes."""
    return PaletteCost(PALETTE_DIM) if config.features == COMB else cosine_ward


def merge_tree(hierarchy: Hierarchy, cost: Cost) -> MergeTree:
    """Merges the events of level 0, all of which have representations."""
    merging = Merging(cost)
    for event, snippets in zip(hierarchy.levels[0], hierarchy.snippet_counts().tolist(), strict=True):
        assert event.representation is not None, "events are merged by their representations"
        mean_D = event.representation.astype(np.float64)
        merging.add(event.start_s, event.end_s, snippets, mean_D)
    return merging.finish()


def merged_level(hierarchy: Hierarchy, tree: MergeTree, events: int) -> list[Event]:
    """The events of a level that has so many.

    Args:
        hierarchy: its level 0 is what was merged.
        tree: of the mergers.
        events: how many, from 1 to as many as level 0 has.
    """
    finest, snippets = hierarchy.levels[0], hierarchy.snippet_counts()
    heights = tree.boundary_heights()
    edges = [*tree.cut(events).tolist(), len(finest)]
    merged = []
    for first, stop in pairwise(edges):
        merged.append(
            Event(
                finest[first].start_s,
                finest[stop - 1].end_s,
                _mean_signal(finest[first:stop], snippets[first:stop]),
                float(heights[stop - 1]) if stop < len(finest) else None,
                _mean_vector(finest[first:stop], snippets[first:stop]),
            )
        )
    return merged


def _mean_signal(events: Sequence[Event], snippets: np.ndarray) -> float | None:
    """Mean of the events' signals, as far as they are known."""
    known = [(e.mean_signal, n) for e, n in zip(events, snippets, strict=True) if e.mean_signal is not None]
    if not known:
        return None
    return float(np.average([value for value, _ in known], weights=[n for _, n in known]))


def _mean_vector(events: Sequence[Event], snippets: np.ndarray) -> np.ndarray | None:
    """Mean of the events' vectors; None where one of them has none."""
    vectors = [event.representation for event in events if event.representation is not None]
    if len(vectors) < len(events):
        return None
    return np.average(np.stack(vectors).astype(np.float64), axis=0, weights=snippets).astype(np.float32)
