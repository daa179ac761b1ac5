"""A model and videos of vectors, so small that training takes milliseconds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.run_folder import RunFolder
from pipelines.snippets import SnippetBlock, VideoEnd
from pipelines.store import HierarchyStore
from streamer.config import LearningConfig, StreamerConfig

DIM = 8
SEED = 3
BLOCK = 4  # snippets that come together
SNIPPET_SIZE = 0.5


def tiny_config(**changes) -> StreamerConfig:
    """Steps, boundaries and growth come every few snippets."""
    settings = {
        "modality": "vectors",
        "feature_dim": DIM,
        "snippet_size": SNIPPET_SIZE,
        "evolve_every": 5,
        "working_set_size": 3,
        "force_fixed_buffer": True,
        "learning": LearningConfig(lr=1e-2, optimize_every=3),
    }
    return StreamerConfig(**{**settings, **changes})


@dataclass(frozen=True)
class Video:
    """One video of a worker's stream.

    Attributes:
        name: its id.
        snippets: how many are delivered.
        breaks: whether the file breaks after these.
    """

    name: str
    snippets: int
    breaks: bool = False

    @property
    def vectors(self) -> np.ndarray:
        """float32 `[snippets, DIM]`, a slow walk that follows from the name."""
        random = np.random.default_rng(list(self.name.encode()))
        return random.standard_normal((self.snippets, DIM)).cumsum(axis=0).astype(np.float32)

    @property
    def end(self) -> VideoEnd:
        """How the stage that decodes would report its end; a third of the last snippet is missing."""
        if self.breaks or self.snippets == 0:
            return VideoEnd(self.name, self.snippets, 0.0, "failed", "broken")
        return VideoEnd(self.name, self.snippets, (self.snippets - 1 / 3) * SNIPPET_SIZE, "done", None)


def stream(videos: Sequence[Video]) -> Iterator[SnippetBlock | VideoEnd]:
    """Snippets and ends, as `read_rows` yields them."""
    for video in videos:
        vectors = video.vectors
        for index in range(0, video.snippets, BLOCK):
            yield SnippetBlock(video.name, index, vectors[index : index + BLOCK])
        yield video.end


def tiny_store(folder: RunFolder) -> HierarchyStore:
    """A store that keeps the signals too."""
    return HierarchyStore(folder, {"streamer.model": "tiny"}, signals=True)
