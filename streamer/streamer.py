"""The model as its users hold it: snippets in, signals and hierarchies out, learning on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.config import Precision, StreamerConfig
from streamer.errors import ConfigError, StreamerError
from streamer.hierarchy import Hierarchy
from streamer.lane import DueLoss, Lane, Observation, Signal
from streamer.learner import Learner
from streamer.levels import Initializer, Levels
from streamer.modules import Level
from streamer.replicas import Replicas, SingleReplica
from streamer.tally import Tally


class Streamer:
    """One replica of the model with its lanes, each of which watches one video at a time.

    With one lane and no other replica, call `observe` for every snippet and `end_video` after the last one
    of each video. Otherwise `offer` snippets to lanes, `advance` all of them by one snippet at a time, and
    meet a `barrier` after every group of base steps that learns together.

    Args:
        config: what the model is.
        lanes: videos that this replica watches at the same time.
        seed: determines all initial parameters.
        train: learn while observing; otherwise parameters stay as they are and no level is created.
        device: where the model computes.
        precision: floating-point type of parameters and arithmetic.
        replicas: the other replicas of this model, with as many lanes each; alone by default.
        initialize: called with each new level and its index, to set other initial parameters.

    Attributes:
        lanes: the lanes, in order; `waiting` of each says how many snippets it could still observe.
    """

    def __init__(
        self,
        config: StreamerConfig,
        *,
        lanes: int = 1,
        seed: int = 0,
        train: bool = True,
        device: torch.device | str = "cpu",
        precision: Precision = "float32",
        replicas: Replicas | None = None,
        initialize: Initializer | None = None,
    ) -> None:
        self.config = config
        self.replicas = replicas or SingleReplica()
        dtype = torch.float64 if precision == "float64" else torch.float32
        self.levels = Levels(config, seed=seed, device=device, dtype=dtype, initialize=initialize)
        total = self.replicas.size * lanes
        self.inputs = Tally(config.max_levels)
        self.learner = Learner(self.levels, config.learning, total) if train else None
        grow = self.grow if train else None
        self.lanes = [
            Lane(self.levels, self.inputs, grow, config.evolve_every * total) for _ in range(lanes)
        ]
        self._due: list[DueLoss] = []

    def observe(self, snippet: np.ndarray | Tensor) -> list[Signal]:
        """Takes the next snippet of the video and learns from it; for a model with one lane.

        Args:
            snippet: RGB uint8 `[H, H, 3]`, or float `[3, H, H]` in [-1, 1]; for a model of vectors
                float `[D]`.

        Returns:
            A signal per level that had a prediction to compare, upper levels first.
        """
        assert len(self.lanes) == 1, "with several lanes: offer, advance, barrier"
        self.offer(snippet[None])
        [signals] = self.advance()
        if self.learner is not None:
            self.barrier()
        return signals

    def offer(self, snippets: np.ndarray | Tensor, lane: int = 0) -> None:
        """Hands the next snippets of its video to a lane, which observes one of them per `advance`.

        Args:
            snippets: `[T, ...]`, each as `observe` takes it.
            lane: which lane.
        """
        self.lanes[lane].queue.extend(self._prepare(snippet) for snippet in snippets)

    def advance(self) -> list[list[Signal]]:
        """One base step: every lane that has a snippet waiting observes it.

        What is to be learned from them is taken in at the next base step or barrier.

        Returns:
            Signals per lane, upper levels first; empty for lanes without a snippet.
        """
        self._learn()
        signals: list[list[Signal]] = []
        for lane in self.lanes:
            with torch.set_grad_enabled(self.learner is not None):
                observation = lane.observe(lane.queue.popleft()) if lane.queue else Observation()
            signals.append(observation.signals)
            self._due += observation.due
            if self.learner is not None:
                for loss in observation.due:
                    self.learner.losses.count(loss.level)
        return signals

    def _learn(self) -> None:
        if self.learner is not None:
            self.learner.accumulate(self._due)
        self._due = []

    def barrier(self, flags: Sequence[float] = ()) -> list[float]:
        """Makes all replicas one again: learns, sums what they counted, grows and steps where that is due.

        Levels that any replica created are created in all before the losses of the last base step are
        weighed, since the weights depend on how many levels exist after it.

        Args:
            flags: numbers of the caller's, to be summed over replicas on the way.

        Returns:
            The sums of `flags`.
        """
        learner = self.learner
        assert learner is not None, "only a model that trains meets barriers"
        most = self.config.max_levels
        exists = [level < len(self.levels) for level in range(most)]
        numbers = [*learner.losses.since_barrier, *self.inputs.since_barrier, *exists, *flags]
        sums = self.replicas.sum_(torch.tensor(numbers, dtype=torch.float64)).tolist()
        counts = [round(value) for value in sums[: 3 * most]]
        while len(self.levels) < sum(count > 0 for count in counts[2 * most :]):
            self.grow()
        learner.losses.merge(counts[:most])
        self.inputs.merge(counts[most : 2 * most])
        self._learn()
        if learner.step_due():
            self.gather()
            learner.step()
            self.parameters_changed()
        return sums[3 * most :]

    def end_video(
        self, duration_s: float | None = None, video_id: str = "video", lane: int = 0
    ) -> Hierarchy:
        """Closes every level at the end of a lane's video; the lane's next snippet begins another.

        Args:
            duration_s: seconds from the first frame to the end of the video; by default the number of
                snippets times their size.
            video_id: name of the video in the hierarchy.
            lane: which lane.

        Raises:
            StreamerError: the video had no snippet, or ended before its last snippet.
        """
        watched = self.lanes[lane]
        assert watched.waiting == 0, "the video has snippets that were offered but not observed"
        snippets, size = watched.index, self.config.snippet_size
        if snippets == 0:
            raise StreamerError(f"{video_id}: no snippet was observed, so there is no hierarchy to end")
        duration_s = snippets * size if duration_s is None else duration_s
        if duration_s <= (snippets - 1) * size:
            raise StreamerError(
                f"{video_id}: {snippets} snippets of {size} s do not fit into {duration_s} s: give the "
                "duration of the whole video"
            )
        levels = watched.end_video(duration_s)
        return Hierarchy(
            video_id=video_id,
            duration_s=duration_s,
            snippet_size=size,
            snippets=snippets,
            levels=levels,
            dim=self.config.feature_dim,
        )

    def start_video(self, lane: int = 0) -> None:
        """Drops all that belongs to a lane's running video, snippets that wait included."""
        self.lanes[lane].start_video()

    def gather(self) -> None:
        """Makes replicas equal: parameters to the bit, and gradients and counters by their sums."""
        assert self.learner is not None, "only a model that trains gathers"
        self._learn()
        self.levels.meet(self.replicas)
        self.learner.gather(self.replicas)

    def parameters_changed(self) -> None:
        """Drops what was computed with the parameters as they were."""
        self.levels.parameters_changed()
        for lane in self.lanes:
            lane.forget()

    def grow(self) -> Level:
        """Creates the level above the highest."""
        level = self.levels.grow()
        if self.learner is not None:
            self.learner.add_level(level)
        return level

    def _prepare(self, snippet: np.ndarray | Tensor) -> Tensor:
        """Checks one snippet and brings it to the model's device, type and range."""
        # Copied: working sets outlive buffers that callers use again, and decoded snippets are read-only.
        x = torch.tensor(snippet) if isinstance(snippet, np.ndarray) else snippet.detach().clone()
        config = self.config
        size = config.frame_size
        if config.modality == "vectors":
            kind, shape = "", (config.feature_dim,)
        elif x.dtype == torch.uint8:
            kind, shape = "uint8 ", (size, size, 3)
        else:
            kind, shape = "", (3, size, size)
        if tuple(x.shape) != shape:
            raise ConfigError(
                f"the model takes {config.modality} {kind}{list(shape)}, not {list(x.shape)}: change the "
                "input, or model.modality, model.feature_dim or model.frame_size"
            )
        if x.dtype == torch.uint8 and config.modality == "frames":
            x = x.to(self.levels.device).permute(2, 0, 1).to(self.levels.dtype) / 255 * 2 - 1
        else:
            x = x.to(device=self.levels.device, dtype=self.levels.dtype)
        return F.normalize(x, dim=0) if config.normalize_pixels else x
