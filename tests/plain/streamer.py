"""The plain model with one lane: snippets in, signals and hierarchies out, learning on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.config import StreamerConfig
from streamer.errors import ConfigError, StreamerError
from streamer.hierarchy import Hierarchy
from streamer.replicas import Replicas, SingleReplica
from streamer.tally import Tally
from tests.plain.lane import DueLoss, Lane, Observation, Signal
from tests.plain.learner import Learner
from tests.plain.levels import Initializer, Levels
from tests.plain.modules import Level


class PlainStreamer:
    """One replica of the model with one lane.

    Alone, call `observe` for every snippet and `end_video` after the last one of each video. As one of
    several replicas, call `advance` for every snippet and `barrier` for every group of `sync_every`.

    Args:
        config: what the model is.
        seed: determines all initial parameters.
        train: learn while observing; otherwise parameters stay as they are and no level is created.
        device: where the model computes.
        dtype: floating-point type of parameters and arithmetic.
        replicas: the other replicas of this model; alone by default.
        initialize: called with each new level and its index, to set other initial parameters.
    """

    def __init__(
        self,
        config: StreamerConfig,
        *,
        seed: int = 0,
        train: bool = True,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        replicas: Replicas | None = None,
        initialize: Initializer | None = None,
    ) -> None:
        self.config = config
        self.replicas = replicas or SingleReplica()
        self.levels = Levels(config, seed=seed, device=device, dtype=dtype, initialize=initialize)
        lanes = self.replicas.size
        self.inputs = Tally(config.max_levels)
        self.learner = Learner(self.levels, config.learning, lanes) if train else None
        grow = self.grow if train else None
        self.lane = Lane(self.levels, self.inputs, grow, config.evolve_every * lanes)

    def observe(self, snippet: np.ndarray | Tensor) -> list[Signal]:
        """Takes the next snippet of the video and learns from it.

        Args:
            snippet: RGB uint8 `[H, H, 3]`, or float `[3, H, H]` in [-1, 1]; for a model of vectors
                float `[D]`.

        Returns:
            A signal per level that had a prediction to compare, upper levels first.
        """
        observation = self.advance(snippet)
        if self.learner is not None:
            self.barrier(observation.due)
        return observation.signals

    def end_video(self, duration_s: float | None = None, video_id: str = "video") -> Hierarchy:
        """Closes every level at the end of the video.

        Args:
            duration_s: seconds from the first frame to the end of the video; by default the number of
                snippets times their size.
            video_id: name of the video in the hierarchy.

        Raises:
            StreamerError: the video had no snippet, or ended before its last snippet.
        """
        snippets, size = self.lane.index, self.config.snippet_size
        if snippets == 0:
            raise StreamerError(f"{video_id}: no snippet was observed, so there is no hierarchy to end")
        duration_s = snippets * size if duration_s is None else duration_s
        if duration_s <= (snippets - 1) * size:
            raise StreamerError(
                f"{video_id}: {snippets} snippets of {size} s do not fit into {duration_s} s: give the "
                "duration of the whole video"
            )
        levels = self.lane.end_video(duration_s)
        return Hierarchy(
            video_id=video_id,
            duration_s=duration_s,
            snippet_size=size,
            snippets=snippets,
            levels=levels,
            dim=self.config.feature_dim,
        )

    def advance(self, snippet: np.ndarray | Tensor) -> Observation:
        """Takes the next snippet without learning from it yet."""
        with torch.set_grad_enabled(self.learner is not None):
            observation = self.lane.observe(prepare(snippet, self.levels))
        if self.learner is not None:
            for loss in observation.due:
                self.learner.losses.count(loss.level)
        return observation

    def learn(self, due: Sequence[DueLoss]) -> None:
        """Adds the losses of one snippet to the gradients."""
        assert self.learner is not None, "only a model that trains learns"
        self.learner.accumulate(due)

    def barrier(self, due: Sequence[DueLoss], flags: Sequence[float] = ()) -> list[float]:
        """Makes all replicas one again: learns, sums what they counted, grows and steps where that is due.

        Levels that any replica created are created in all before `due` is weighed, since the weights depend
        on how many levels exist after the snippet.

        Args:
            due: losses of the snippet just observed; empty where this replica had none.
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
        self.learn(due)
        if learner.step_due():
            self.gather()
            learner.step()
            self.parameters_changed()
        return sums[3 * most :]

    def gather(self) -> None:
        """Makes replicas equal: parameters to the bit, and gradients and counters by their sums."""
        assert self.learner is not None, "only a model that trains gathers"
        self.levels.meet(self.replicas)
        self.learner.gather(self.replicas)

    def parameters_changed(self) -> None:
        """Drops what was computed with the parameters as they were."""
        self.levels.parameters_changed()
        with torch.set_grad_enabled(self.learner is not None):
            self.lane.parameters_changed()

    def grow(self) -> Level:
        """Creates the level above the highest."""
        level = self.levels.grow()
        if self.learner is not None:
            self.learner.add_level(level)
        return level


def prepare(snippet: np.ndarray | Tensor, levels: Levels) -> Tensor:
    """Checks one snippet and brings it to the model's device, type and range.

    Raises:
        ConfigError: it is not of the shape that the model takes.
    """
    # Copied: working sets outlive buffers that callers use again, and decoded snippets are read-only.
    x = torch.tensor(snippet) if isinstance(snippet, np.ndarray) else snippet.detach().clone()
    config = levels.config
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
        x = x.to(levels.device).permute(2, 0, 1).to(levels.dtype) / 255 * 2 - 1
    else:
        x = x.to(device=levels.device, dtype=levels.dtype)
    return F.normalize(x, dim=0) if config.normalize_pixels else x
