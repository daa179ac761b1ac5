"""Videos as predictors get them."""

import numpy as np
from hypothesis import strategies as st

from pipelines.baselines.prediction import WatchedVideo
from pipelines.catalog import CatalogEntry
from streamer.features import centred

SNIPPET_SIZE = 0.5


def watched(features: np.ndarray, *, video_id: str = "v", surplus_s: float = 0.0) -> WatchedVideo:
    """A video with features [T, D], which ends `surplus_s` seconds before its last snippet does."""
    duration_s = len(features) * SNIPPET_SIZE - surplus_s
    entry = CatalogEntry(video_id, "", "vectors", duration_s)
    return WatchedVideo(entry, duration_s, len(features), SNIPPET_SIZE, centred(features))


def known(duration_s: float, *, video_id: str = "v") -> WatchedVideo:
    """A video of which the duration is all that is known."""
    entry = CatalogEntry(video_id, "", "video", duration_s)
    return WatchedVideo(entry, duration_s, max(1, int(-(-duration_s // SNIPPET_SIZE))), SNIPPET_SIZE)


def scenes(lengths: list[int], dim: int = 8, noise: float = 0.05, seed: int = 0) -> np.ndarray:
    """Features that change after so many snippets each, float32 [sum of the lengths, dim]."""
    random = np.random.default_rng(seed)
    means = random.standard_normal((len(lengths), dim)).repeat(lengths, axis=0)
    return (means + noise * random.standard_normal(means.shape)).astype(np.float32)


@st.composite
def any_features(draw: st.DrawFn) -> np.ndarray:
    """Features of short videos: noise, scenes, with repetitions and without any difference."""
    length, dim = draw(st.integers(1, 40)), draw(st.integers(1, 5))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["noise", "still", "few", "scenes"]))
    if kind == "still":
        return np.ones((length, dim), np.float32)
    if kind == "few":
        return random.integers(0, 2, (length, dim)).astype(np.float32)
    if kind == "scenes":
        return scenes([1 + k % 4 for k in range(length)], dim, seed=length)[:length]
    return random.standard_normal((length, dim)).astype(np.float32)
