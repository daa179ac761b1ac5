"""The model as its users hold it: snippets in, signals and hierarchies out, learning on the way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, zip_longest

import numpy as np
import torch
from torch import Tensor

from streamer.config import Precision, StreamerConfig
from streamer.errors import ConfigError, StreamerError
from streamer.forward import Forward
from streamer.hierarchy import Hierarchy
from streamer.lane import Lane, Waiting
from streamer.learner import Learner
from streamer.levels import Initializer, Levels
from streamer.memory import Memory
from streamer.merged_levels import with_merged_levels
from streamer.modules import Level
from streamer.observation import DueLoss, Observation
from streamer.recall import Recall
from streamer.rehearsal import Rehearsal
from streamer.replay import Replay
from streamer.replicas import Replicas, SingleReplica
from streamer.rows import to_device
from streamer.schedule import Schedule
from streamer.signals import Signal
from streamer.tally import Tally

VECTORS_PER_LOSS = 4  # vectors per loss that waits, beyond which memory is swept although few losses wait


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
        precision: float32, float64, or bf16: products in bfloat16, all else in float32.
        schedule: when it computes in batches.
        replicas: the other replicas of this model, with as many lanes each; alone by default.
        initialize: called with each new level and its index, to set other initial parameters.

    Attributes:
        lanes: the lanes, in order; `waiting` of each says how many snippets it could still observe.
        levels: the parameters.
        learner: gradient sums and the optimiser; None without training.
        inputs: inputs of each level, over all lanes.
        memory: vectors and frames of all lanes.
        replay: the deferred backward pass.
        rehearsal: past losses that join every step; None without them.
        due: losses of the last base step.
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
        schedule: Schedule | None = None,
        replicas: Replicas | None = None,
        initialize: Initializer | None = None,
    ) -> None:
        self.config = config
        self.replicas = replicas or SingleReplica()
        self.levels = Levels(config, seed=seed, device=device, precision=precision, initialize=initialize)
        total = self.replicas.size * lanes
        self.inputs = Tally(config.learned_levels)
        self.learner = Learner(self.levels, config.learning, total) if train else None
        recall = None
        if config.recall > 0:
            dtype, here = self.levels.arithmetic.state, self.levels.device
            recall = Recall(lanes, config.recall, config.feature_dim, dtype, here)
        rings = [None] * lanes if recall is None else recall.rings
        self.lanes = [Lane(config, len(self.levels), ring) for ring in rings]
        self.schedule = schedule or Schedule()
        self.memory = Memory(self.levels.device, learning=train)
        self.replay = Replay(self.levels, self.memory)
        self.rehearsal = None
        if train and config.learning.replay > 0:
            self.rehearsal = Rehearsal(self.levels, self.memory, lanes, self.replicas.rank * lanes)
        grow = self.grow if train else None
        evolve_every = config.evolve_every * total
        self._forward = Forward(self.levels, self.memory, self.inputs, grow, evolve_every, recall)
        self.due: list[DueLoss] = []

    def observe(self, snippet: np.ndarray | Tensor) -> list[Signal]:
        """Takes the next snippet of the video and learns from it; for a model with one lane.

        Args:
            snippet: RGB uint8 `[H, H, 3]`, or float `[3, H, H]` in [-1, 1]; for a model of vectors, or of
                features of frames, float `[D]`.

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
        data = self._received(snippets)
        self.lanes[lane].queue.extend(Waiting(snippet) for snippet in data)

    def advance(self) -> list[list[Signal]]:
        """One base step: every lane that has a snippet waiting observes it.

        What is to be learned from them is taken in at the next base step or barrier.

        Returns:
            Signals per lane, upper levels first; empty for lanes without a snippet.
        """
        self._learn()
        self._make_room()
        self._encode_ahead()
        active = [lane for lane in self.lanes if lane.waiting]
        observations = dict(zip(map(id, active), self._forward.base_step(active), strict=True))
        signals: list[list[Signal]] = []
        for number, lane in enumerate(self.lanes):
            observation = observations.get(id(lane), Observation())
            signals.append(observation.signals)
            self.due += observation.due
            if self.learner is not None:
                for loss in observation.due:
                    self.learner.losses.count(loss.level)
            if self.rehearsal is not None:
                self.rehearsal.offer(number, observation.due)
        return signals

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
        most = self.config.learned_levels
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
            if self.rehearsal is not None:
                self.rehearsal.add_gradients(learner)
            self.gather()
            learner.step()
            self.parameters_changed()
        return sums[3 * most :]

    def end_video(self, duration_s: float | None = None, video_id: str = "video", lane: int = 0) -> Hierarchy:
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
        watched.follow_growth(len(self.levels))
        for state in watched.states:
            z_D = None if state.z_row is None else self.memory.vectors.read([state.z_row])[0]
            state.recorder.end(duration_s, None, z_D)
        levels = watched.events()
        self.start_video(lane)
        hierarchy = Hierarchy(
            video_id=video_id,
            duration_s=duration_s,
            snippet_size=size,
            snippets=snippets,
            levels=levels,
            dim=self.config.feature_dim,
        )
        return (
            with_merged_levels(hierarchy, self.config) if self.config.upper_levels == "merged" else hierarchy
        )

    def start_video(self, lane: int = 0) -> None:
        """Drops all that belongs to a lane's running video, snippets that wait included."""
        self.lanes[lane].start_video(len(self.levels))

    @property
    def idle(self) -> bool:
        """Whether no video is running, no snippet waits, and no gradient is left to be computed."""
        pending = self.due or self.replay.touched or (self.learner is not None and self.learner.waiting)
        return not pending and all(lane.index == 0 and lane.waiting == 0 for lane in self.lanes)

    @property
    def spreads(self) -> list[float | None]:
        """Per level how far apart its recent representations lie, 0 to 1; see `streamer.spread`."""
        known = self.replay.spreads
        return [known[level].value if level in known else None for level in range(len(self.levels))]

    @property
    def gates(self) -> list[float]:
        """Per level the share of what p puts out in its predictions of change; empty without these."""
        residuals = [level.p.residual for level in self.levels]
        return [residual.share.item() for residual in residuals if residual is not None]

    def settle(self) -> None:
        """Computes the gradients of all losses met so far, as is needed before parameters change."""
        self._learn()
        self._sweep(everything=True)

    def gather(self) -> None:
        """Makes replicas equal: parameters to the bit, and gradients and counters by their sums."""
        assert self.learner is not None, "only a model that trains gathers"
        self.settle()
        self.levels.meet(self.replicas)
        self.learner.gather(self.replicas)

    def parameters_changed(self) -> None:
        """Drops what was computed with the parameters as they were; all losses must have been settled."""
        assert not self.due
        assert self.learner is None or not self.learner.waiting
        self.levels.parameters_changed()
        for lane in self.lanes:
            lane.parameters_changed()
        if self.config.learning.keep_predictions:
            self._forward.renew(self.lanes)
        self._sweep()

    def lane_outdated(self, lane: int) -> None:
        """Drops what a lane brought along from a model with other parameters; its events go on."""
        self.lanes[lane].parameters_changed()
        if self.config.learning.keep_predictions:
            self._forward.renew([self.lanes[lane]])

    def grow(self) -> Level:
        """Creates the level above the highest."""
        level = self.levels.grow()
        if self.learner is not None:
            self.learner.add_level(level)
        return level

    def _learn(self) -> None:
        """Takes in the losses of the last base step, now that it is known how many levels exist after it."""
        due, self.due = self.due, []
        if self.learner is not None:
            self.learner.accept(due)

    def _make_room(self) -> None:
        """Sweeps when enough has come together for a large batch."""
        flush = self.schedule.flush_losses
        waiting = 0 if self.learner is None else len(self.learner.waiting)
        if waiting >= flush or self.memory.taken >= VECTORS_PER_LOSS * max(flush, len(self.lanes)):
            self._sweep()

    def _sweep(self, *, everything: bool = False) -> None:
        """Computes gradients that wait, and releases what is needed no more."""
        if self.learner is not None:
            self.replay.run(self.learner.take_losses(), self.lanes, everything=everything)
        if self.rehearsal is not None:
            self.rehearsal.write()
        self.memory.sweep(self.lanes, frames_predicted=self.config.encodes_frames)

    def _encode_ahead(self) -> None:
        """Encodes the next snippet of every lane, with some of those behind it.

        Not beyond the next optimiser step, after which they would have to be encoded again.
        """
        missing = [lane for lane in self.lanes if lane.waiting and lane.queue[0].row is None]
        if not missing:
            return
        deep = self.schedule.encode_ahead
        if self.learner is not None:
            deep = min(deep, self.learner.base_steps_left)
        columns = [list(islice(lane.queue, deep)) for lane in self.lanes]
        in_turn = [s for row in zip_longest(*columns) for s in row if s is not None and s.row is None]
        most = self.schedule.encode_ahead
        for start in range(0, max(most, len(missing)), most):
            if batch := in_turn[start : start + most]:
                self._forward.encode(batch)

    def _received(self, snippets: np.ndarray | Tensor) -> Tensor:
        """Checks snippets `[T, ...]` and brings a copy to the model's device."""
        # Copied: they are kept beyond the life of buffers that callers use again.
        x = torch.tensor(snippets) if isinstance(snippets, np.ndarray) else snippets.detach().clone()
        config = self.config
        size = config.frame_size
        takes, fields = config.modality, "model.modality, model.feature_dim or model.frame_size"
        if not config.encodes_frames:
            kind, shape = "", (config.feature_dim,)
            if config.features is not None:
                takes, fields = f"features `{config.features}` of frames,", "model.features"
        elif x.dtype == torch.uint8:
            kind, shape = "uint8 ", (size, size, 3)
        else:
            kind, shape = "", (3, size, size)
        if tuple(x.shape[1:]) != shape:
            raise ConfigError(
                f"the model takes {takes} {kind}{list(shape)}, not {list(x.shape[1:])}: change the "
                f"input, or {fields}"
            )
        return to_device(x, self.levels.device)
