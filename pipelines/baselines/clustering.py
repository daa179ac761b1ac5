"""Neighbouring snippets and events merged bottom-up, by Ward's criterion."""

from __future__ import annotations

import numpy as np

from pipelines.baselines.config import BaselineConfig
from pipelines.baselines.prediction import Prediction, WatchedVideo, at_snippets


def predict_clustering(video: WatchedVideo, config: BaselineConfig) -> Prediction:
    """Each level is a cut of one tree of merges, which has as many events as the wanted mean length asks for.

    Args:
        video: with features.
        config: the wanted lengths.
    """
    assert config.lengths is not None
    removed = merge_order(video.centred)
    starts = [cut_tree(removed, video.events_of(length)) for length in config.lengths]
    return Prediction(at_snippets(video, starts))


def merge_order(features_TD: np.ndarray) -> np.ndarray:
    """Merges neighbours, two at a time, until one event is left.

    Of all pairs of neighbours those are merged next whose merger adds the least to the sum of squared
    distances from the snippets to the means of their events (Ward): scikit-learn's agglomerative clustering
    under the constraint that snippets are connected to the ones before and after alone.

    Args:
        features_TD: of all snippets.

    Returns:
        For each snippet from 1 on, which merger (0 the first) removes the boundary before it, int64 [T - 1].
    """
    snippets = len(features_TD)
    removed = np.empty(max(0, snippets - 1), np.int64)
    if snippets == 1:
        return removed
    # Seconds: only the workers that cluster pay for these.
    from scipy.sparse import eye
    from sklearn.cluster import AgglomerativeClustering

    neighbours = eye(snippets, k=1) + eye(snippets, k=-1)
    tree = AgglomerativeClustering(n_clusters=1, linkage="ward", connectivity=neighbours).fit(features_TD)
    first = np.empty(2 * snippets - 1, np.int64)  # snippet of every node; leaves come first
    first[:snippets] = np.arange(snippets)
    for merger, (one, other) in enumerate(tree.children_):
        earlier, later = sorted((first[one], first[other]))
        removed[later - 1] = merger
        first[snippets + merger] = earlier
    return removed


def cut_tree(removed: np.ndarray, events: int) -> list[int]:
    """The snippets with which events begin, other than the first, where so many events are left."""
    mergers = len(removed) + 1 - events
    return (np.flatnonzero(removed >= mergers) + 1).tolist()
