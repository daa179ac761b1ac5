"""A training of the smallest kind that can be stopped at any barrier and goes on, without Ray."""

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import torch

from pipelines.catalog import CatalogEntry
from pipelines.checkpoints import Checkpointer, agree_on_latest
from pipelines.restart import begin, go_on
from pipelines.run_folder import RunFolder
from pipelines.snippets import SnippetBlock, VideoEnd, VideoPart
from pipelines.store import read_signals
from pipelines.synchronization import AveragedParameters, SummedGradients
from pipelines.training import TrainingLoop
from pipelines.worker_report import WorkerReport
from streamer.config import Precision, StreamerConfig
from streamer.replicas import Replicas, SingleReplica
from streamer.streamer import Streamer
from tests.pipelines.runs import hierarchies, table
from tests.pipelines.tiny import BLOCK, SEED, SNIPPET_SIZE, Video, tiny_config, tiny_store

VIDEOS = [Video("a", 37), Video("b", 9), Video("c", 50), Video("d", 24), Video("e", 33), Video("f", 0)]
BY_NAME = {video.name: video for video in VIDEOS}
ENTRIES = [
    CatalogEntry(video.name, f"/{video.name}", "vectors", video.snippets * SNIPPET_SIZE) for video in VIDEOS
]


def part_stream(parts: Sequence[VideoPart]) -> Iterator[SnippetBlock | VideoEnd]:
    """What is left of videos, in rows that are cut where they are cut for whole videos."""
    for part in parts:
        video = BY_NAME[part.entry.video_id]
        starts = [part.first, *range((part.first // BLOCK + 1) * BLOCK, video.snippets, BLOCK)]
        for first, stop in zip(starts, [*starts[1:], video.snippets], strict=True):
            if first < stop:
                yield SnippetBlock(video.name, first, video.vectors[first:stop])
        yield video.end


class Run:
    """One worker of a training that can be stopped and goes on."""

    def __init__(
        self,
        root: Path,
        *,
        average: bool = False,
        precision: Precision = "float32",
        replicas: Replicas | None = None,
        config: StreamerConfig | None = None,
    ) -> None:
        self.replicas = replicas or SingleReplica()
        self.config = config or tiny_config()
        self.folder = RunFolder(root)
        self.average = average
        self.precision: Precision = precision
        self.reports: list[WorkerReport] = []
        self.watched: list[tuple[str, int]] = []

    def start(
        self, lanes: int, *, stop_after: int | None = None, every_s: float = 1e9, sync_every: int = 1
    ) -> Streamer:
        """Trains to the end, or for some barriers."""
        replicas, shared = self.replicas, not self.average
        model = Streamer(
            self.config,
            lanes=lanes,
            seed=SEED,
            precision=self.precision,
            replicas=None if self.average else replicas,
        )
        synchronization = AveragedParameters(model, replicas) if self.average else SummedGradients(model)
        saved = agree_on_latest(self.folder.checkpoints, replicas)
        start = (
            begin(ENTRIES, replicas.size, lanes, replicas.rank)
            if saved is None
            else go_on(saved, model, ENTRIES, workers=replicas.size, rank=replicas.rank, shared=shared)
        )
        synchronization.averaged_steps = start.position.averaged_steps
        barriers = count()
        loop = TrainingLoop(
            model,
            synchronization,
            [self._noted(part_stream(parts)) for parts in start.parts],
            tiny_store(self.folder),
            sync_every=sync_every,
            report=self.reports.append,
            clock=count().__next__,  # every look at the clock is a second later
            position=start.position,
            checkpoints=Checkpointer(
                self.folder.checkpoints, model, replicas, start.assignment, shared=shared
            ),
            checkpoint_every_s=every_s,
            asked_to_stop=lambda: (
                replicas.rank == 0 and stop_after is not None and next(barriers) + 1 >= stop_after
            ),
        )
        loop.run()
        assert loop.stopped == (stop_after is not None)
        return model

    def _noted(self, stream: Iterator[SnippetBlock | VideoEnd]) -> Iterator[SnippetBlock | VideoEnd]:
        for item in stream:
            if isinstance(item, SnippetBlock):
                self.watched += [(item.video_id, item.index + place) for place in range(len(item.data))]
            yield item

    def results(self) -> tuple[Any, Any]:
        """Events of all videos without what differs by rounding, and boundaries and signals."""
        found = hierarchies(self.folder)
        events = {
            name: [(row["level"], row["start_s"], row["end_s"], row["parent"]) for row in table(hierarchy)]
            for name, hierarchy in found.items()
        }
        signals = {}
        for name in found:
            stored = read_signals(self.folder, name)
            assert stored is not None
            signals[name] = [tuple(row.values()) for row in stored.to_pylist()]
        return events, signals


ALL_SNIPPETS = sorted((video.name, index) for video in VIDEOS for index in range(video.snippets))
"""Every snippet of every video, once."""


def content(model: Streamer) -> list[torch.Tensor]:
    """Parameters, Adam's moments and gradients in the making."""
    assert model.learner is not None
    moments = [
        value
        for state in model.learner.optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    ]
    sums = [gradient_sum.flat for gradient_sum in (*model.learner.f_sums, *model.learner.p_sums)]
    return [*model.levels.parameters(), *moments, *sums]
