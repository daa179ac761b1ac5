"""Event retrieval and nearest-neighbour probe over the events of all videos of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from pipelines.evaluation.measures import UNDEFINED, Measure, Measures, average, of_ratio, rows
from pipelines.evaluation.predictors import SHUFFLED
from pipelines.evaluation.representations import LabelledEvents
from pipelines.evaluation.scores import Score
from streamer.metrics import event_retrieval, knn_probe

RANKS = (1, 5, 10)
"""Ranks up to which recall is asked for."""

NEIGHBOURS = 5
"""Events that vote on the label of another."""

MOST_EVENTS = 5000
"""Events of a level that are compared with one another; of more, so many drawn at random."""

SHUFFLES = 5
"""How often representations are dealt out at random; fewer times where there are very many."""

ENOUGH_QUERIES = 10_000
"""Of shuffled representations: so many give the level of chance to two digits."""


def score_representations(events: Sequence[LabelledEvents], predictor: str, seed: int) -> list[Score]:
    """Scores the representations of a run, per level of annotation and level of the predictor.

    The floor, "shuffled", has the same events and labels, and the same representations dealt out at random.

    Args:
        events: labelled events of any number of videos.
        predictor: what the run's own predictor is called.
        seed: determines which events are drawn where there are very many, and the floor.

    Returns:
        representation_events (how many have a label and a representation), retrieval_queries (of how many the
        label occurs in another video), retrieval_map, retrieval_recall@{1,5,10} and knn_accuracy, without
        video_id; all but the counts undefined where no label occurs in two videos.
    """
    groups: defaultdict[tuple[str, int], list[LabelledEvents]] = defaultdict(list)
    for group in events:
        groups[group.truth_level, group.level].append(group)
    scores: list[Score] = []
    for (truth_level, level), members in groups.items():
        generator = np.random.default_rng([seed, level])
        vectors, labels, videos = _gathered(members)
        drawn = np.sort(generator.permutation(len(labels))[:MOST_EVENTS])
        sample = vectors[drawn], labels[drawn], videos[drawn]
        count = Measure(float(len(labels)))
        shuffles = max(1, min(SHUFFLES, ENOUGH_QUERIES // max(1, len(drawn))))
        blind = [_measure(generator.permutation(sample[0]), *sample[1:]) for _ in range(shuffles)]
        for who, draws in ((predictor, [_measure(*sample)]), (SHUFFLED, blind)):
            measured = {"representation_events": count, **average(draws)}
            of_level: Measures = {(level, metric): measure for metric, measure in measured.items()}
            scores += rows(None, who, truth_level, of_level)
    return scores


def _gathered(members: Sequence[LabelledEvents]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors [N, D], labels [N] and videos [N] of several videos."""
    vectors = np.concatenate([member.vectors for member in members])
    labels = np.array([label for member in members for label in member.labels], dtype=str)
    videos = np.repeat([member.video_id for member in members], [len(member.labels) for member in members])
    return vectors, labels, videos


def _measure(vectors: np.ndarray, labels: np.ndarray, videos: np.ndarray) -> dict[str, Measure]:
    retrieval = event_retrieval(vectors, labels, videos, ks=RANKS)
    probe = of_ratio(knn_probe(vectors, labels, videos, k=NEIGHBOURS))
    return {
        "retrieval_queries": Measure(float(retrieval.queries)),
        "retrieval_map": Measure(retrieval.mean_average_precision),
        **{f"retrieval_recall@{rank}": Measure(value) for rank, value in retrieval.recall_at.items()},
        # Where no label occurs in two videos, none could be named rightly.
        "knn_accuracy": probe if retrieval.queries else UNDEFINED,
    }
