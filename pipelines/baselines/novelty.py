"""Cuts where consecutive features differ, by the rules with which the model ends its events.

This is the model without what it learns: in the place of a prediction stands the last input.
"""

from __future__ import annotations

import numpy as np

from pipelines.baselines.config import BaselineConfig
from pipelines.baselines.prediction import Prediction, WatchedVideo, at_snippets
from streamer.config import Distance
from streamer.demarcation import make_demarcation
from streamer.signals import Signal


def predict_novelty(video: WatchedVideo, config: BaselineConfig) -> Prediction:
    """Level 0 compares snippets, every further level the means of the events of the level below.

    The signal of a level is the cosine similarity, or the mean squared difference, between an input and the
    one before. Where the demarcation takes it for a boundary, an event of the level ends where that input
    begins: so a level's boundaries are among those of the level below. There is no level above one that has a
    single event.

    Args:
        video: with features.
        config: how many levels, what is measured, and the demarcation.
    """
    assert config.levels is not None
    assert config.distance is not None
    starts: list[list[int]] = []
    signals: list[Signal] = []
    inputs_ND, first_snippets = video.centred, list(range(video.snippets))
    for level in range(config.levels):
        demarcation = make_demarcation(config.demarcation, config.distance)
        demarcation.missed()
        values = consecutive(inputs_ND, config.distance)
        measured = [
            Signal(snippet, level, value, demarcation(value, snippet))
            for snippet, value in zip(first_snippets[1:], values.tolist(), strict=True)
        ]
        signals += measured
        known = [place for place, signal in enumerate(measured, start=1) if signal.boundary]
        starts.append([first_snippets[place - demarcation.delay] for place in known])
        if not starts[-1]:
            break
        first_snippets = [0, *starts[-1]]
        inputs_ND = event_means(video.centred, first_snippets)
    return Prediction(at_snippets(video, starts), signals)


def consecutive(inputs_ND: np.ndarray, distance: Distance) -> np.ndarray:
    """How each input differs from the one before.

    Args:
        inputs_ND: in order.
        distance: `similarity` is their cosine, 0 where one of them is all zero; `distance` the mean of the
            squared differences.

    Returns:
        float64 [N - 1].
    """
    before, after = inputs_ND[:-1].astype(np.float64), inputs_ND[1:].astype(np.float64)
    if distance == "distance":
        return ((after - before) ** 2).mean(axis=1)
    lengths = np.sqrt((before**2).sum(axis=1) * (after**2).sum(axis=1))
    return (before * after).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)


def event_means(features_TD: np.ndarray, first_snippets: list[int]) -> np.ndarray:
    """The mean feature of every event.

    Args:
        features_TD: of all snippets.
        first_snippets: of each event, the first one 0.

    Returns:
        float64 [events, D].
    """
    sums = np.add.reduceat(features_TD, first_snippets, axis=0, dtype=np.float64)
    return sums / np.diff([*first_snippets, len(features_TD)])[:, None]
