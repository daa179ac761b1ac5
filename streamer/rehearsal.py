"""Past losses that join every optimiser step, from a bounded sample of each lane's.

Between two steps a lane meets few losses, all of one scene. A sample of all that it met mixes scenes, and
gets more out of what was watched.

A past loss is kept as what it was computed from: the inputs in the working set, the representations of the
other levels, the last input and the target, all as they were. When it joins a step, its gradient is computed
in the parameters as they are: through f of its own level, by its reach weight there, and through p. The other
levels' representations are constants, and the inputs of upper levels stay the representations that were
handed up. Losses of all levels share a lane's reservoir, so that each is drawn as often as it occurs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from streamer.credit import reach_weights
from streamer.lane import befores, lasts
from streamer.learner import Learner
from streamer.levels import Levels
from streamer.memory import Memory, padded
from streamer.observation import DueLoss
from streamer.replay import by_length, output_gradients
from streamer.reservoir import make_reservoir
from streamer.rows import to_device, to_index

State = dict[str, Any]


@dataclass(frozen=True)
class Past:
    """What the host knows of a past loss.

    Attributes:
        level: the level whose prediction it judged.
        inputs: how many inputs the level's working set held.
        sources: how many levels had a representation.
        weight: the timescale, or 1.
    """

    level: int
    inputs: int
    sources: int
    weight: float


class Rehearsal:
    """The past losses of all lanes of a replica.

    Args:
        levels: the parameters; of a model of vectors.
        memory: where losses that fall due were computed from.
        lanes: number of lanes of this replica.
        first: number of the first of them, over all replicas.
    """

    def __init__(self, levels: Levels, memory: Memory, lanes: int, first: int) -> None:
        config = levels.config
        self._levels, self._memory = levels, memory
        self._config = config.learning
        self.reservoirs = [
            make_reservoir(config.learning, levels.seed, lane) for lane in range(first, first + lanes)
        ]
        # By slot; the slots of one lane come after those of the lane before.
        self._pasts: dict[int, Past] = {}
        self._unwritten: dict[int, DueLoss] = {}
        slots, dim = lanes * config.learning.replay, config.feature_dim
        shapes = {
            "inputs": (config.working_set_size, dim),
            "sources": (config.learned_levels, dim),
            "target": (dim,),
            **({"last": (dim,)} if config.residual else {}),
            **({"before": (dim,)} if config.shortcut else {}),
        }
        # Zeroed: what is padded is masked, but must be a number.
        self._columns = {
            name: torch.zeros((slots, *shape), dtype=levels.arithmetic.state, device=levels.device)
            for name, shape in shapes.items()
        }

    def offer(self, lane: int, losses: Iterable[DueLoss]) -> None:
        """Takes in what fell due in a lane of this replica at one base step, or part of it."""
        for loss in losses:
            slot = self.reservoirs[lane].place()
            if slot is not None:
                self._unwritten[lane * self._config.replay + slot] = loss

    def write(self) -> None:
        """Copies what losses were computed from; to be called before rows are released."""
        if not self._unwritten:
            return
        slots, losses = list(self._unwritten), list(self._unwritten.values())
        self._unwritten = {}
        index, memory = to_index(slots, self._levels.device), self._memory
        sources = [loss.prediction.sources for loss in losses]
        sets = [memory.made[known[loss.level]].inputs for known, loss in zip(sources, losses, strict=True)]
        for name, lists in (("inputs", sets), ("sources", sources)):
            rows = padded(lists)
            values = memory.vectors.read(rows).unflatten(0, (len(lists), -1))
            self._columns[name][index, : values.shape[1]] = values
        self._columns["target"][index] = memory.vectors.read([loss.target for loss in losses])
        for name, rows_of in (("last", lasts), ("before", befores)):
            if name in self._columns:
                rows = rows_of([loss.prediction for loss in losses])
                self._columns[name][index] = memory.vectors.read(rows)
        timescaled = self._config.hgn_timescale
        for slot, loss, inputs, known in zip(slots, losses, sets, sources, strict=True):
            weight = float(loss.timescale) if timescaled else 1.0
            self._pasts[slot] = Past(loss.level, len(inputs), len(known), weight)

    def add_gradients(self, learner: Learner) -> None:
        """Draws past losses of every lane; adds their gradients to sums and their weights to counters."""
        self.write()
        drawn = [
            lane * self._config.replay + slot
            for lane, reservoir in enumerate(self.reservoirs)
            for slot in reservoir.draw(self._config.replay_batch)
        ]
        for level in range(len(self._levels)):
            of_level = [slot for slot in drawn if self._pasts[slot].level == level]
            for piece in by_length(of_level, lambda slot: self._pasts[slot].inputs):
                self._add_level_gradients(level, piece)
            weight = sum(self._pasts[slot].weight for slot in of_level)
            learner.f_sums[level].counter += weight
            learner.p_sums[level].counter += weight

    def _add_level_gradients(self, level: int, slots: Sequence[int]) -> None:
        f, p = self._levels[level].f, self._levels[level].p
        pasts = [self._pasts[slot] for slot in slots]
        index = to_index(slots, self._levels.device)
        inputs_nSD = self._read("inputs", index, max(past.inputs for past in pasts))
        with torch.enable_grad():
            z_nD = f(inputs_nSD, [past.inputs for past in pasts])
        z_nLD = self._read("sources", index, max(past.sources for past in pasts))
        z_nLD[:, level] = z_nD.detach()
        z_nLD.requires_grad_()
        with torch.enable_grad():
            hidden_nD = p(z_nLD, [past.sources for past in pasts])
        weights = torch.tensor([past.weight for past in pasts], dtype=self._levels.arithmetic.state)
        last, before, target = (
            self._columns[name].index_select(0, index) if name in self._columns else None
            for name in ("last", "before", "target")
        )
        assert target is not None
        weights_n = to_device(weights, self._levels.device)
        hidden_nD.backward(
            output_gradients(self._levels, level, hidden_nD.detach(), last, before, target, weights_n)
        )
        assert z_nLD.grad is not None
        z_nD.backward(z_nLD.grad[:, level] * self._reach(level))

    def _read(self, name: str, index: Tensor, longest: int) -> Tensor:
        return self._columns[name][:, :longest].index_select(0, index)

    def _reach(self, level: int) -> float:
        if not self._config.hgn_reach:
            return 1.0
        return reach_weights(level, len(self._levels), self._config.alpha)[level]

    def state(self) -> list[State]:
        """What each lane remembers, as tensors and plain values."""
        self.write()
        return [self._lane_state(lane) for lane in range(len(self.reservoirs))]

    def _lane_state(self, lane: int) -> State:
        first, reservoir = lane * self._config.replay, self.reservoirs[lane]
        slots = slice(first, first + len(reservoir))
        return {
            "reservoir": reservoir.remembered(),
            "pasts": [asdict(self._pasts[slot]) for slot in range(slots.start, slots.stop)],
            # Copied: a view would be saved with all that it is a view of.
            "columns": {name: column[slots].clone() for name, column in self._columns.items()},
        }

    def restore(self, states: Sequence[State]) -> None:
        """Goes on from the `state` of another replica with as many lanes, to the bit."""
        for lane, (reservoir, state) in enumerate(zip(self.reservoirs, states, strict=True)):
            reservoir.recall(state["reservoir"])
            self._put(lane, state["pasts"], state["columns"])

    def _put(self, lane: int, pasts: Sequence[State], columns: State) -> None:
        first = lane * self._config.replay
        for place, past in enumerate(pasts):
            self._pasts[first + place] = Past(**past)
        for name, column in self._columns.items():
            column[first : first + len(pasts)] = columns[name].to(column)

    def inherit(self, states: Sequence[State], first: int, lanes: int) -> None:
        """Begins with what lanes kept that were others, or as many elsewhere.

        Where there were as many lanes over all replicas as there are now, each goes on. Otherwise what they
        kept is dealt evenly, as far as there is room, and lanes that are not full take what comes next.

        Args:
            states: of all lanes of all former workers, in order.
            first: number of this one's first lane, over all workers.
            lanes: number of lanes over all workers now.
        """
        if len(states) == lanes:
            self.restore(states[first : first + len(self.reservoirs)])
            return
        pasts = [past for state in states for past in state["pasts"]]
        columns = {name: torch.cat([state["columns"][name] for state in states]) for name in self._columns}
        # The slots of every lane in turn, so that no lane is left out where there is not room for all.
        sizes = [len(state["pasts"]) for state in states]
        counts = [state["reservoir"]["seen"] for state in states]
        in_turn = sorted(
            (rank, sum(sizes[:lane]) + slot)
            for lane, count in enumerate(counts)
            for rank, slot in enumerate(self.reservoirs[0].from_newest(count))
        )
        order = [place for _, place in in_turn]
        seen = sum(counts) // lanes
        for lane, reservoir in enumerate(self.reservoirs):
            dealt = order[first + lane :: lanes][: reservoir.capacity]
            dealt.reverse()
            reservoir.inherit(len(dealt), seen)
            own = {name: column[dealt] for name, column in columns.items()}
            self._put(lane, [pasts[place] for place in dealt], own)
