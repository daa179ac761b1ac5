"""A training of many workers, base step by base step and barrier by barrier, without running it.

What is simulated is the loop of `pipelines/training.py`: a worker's lanes watch their videos one after the
other; a base step takes a snippet of every lane that has one; after `sync_every` base steps, or fewer where
its streams end, a worker waits for all others. Gradients are computed late, many losses at once, so that most
base steps are short and some are long; those of different workers are long at different moments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.assignment import assign, slots_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Order = Literal["longest first", "round robin", "random"]
Flush = Literal["alone", "together"]


@dataclass(frozen=True)
class Costs:
    """What a model's work takes one worker.

    Attributes:
        forward_s: seconds of a base step without gradients, by number of lanes that have a snippet; linear
            between these numbers.
        variation: standard deviation of that time over its mean.
        backward_s: seconds to compute the gradients of one loss, with others.
        losses: losses per snippet, of all levels: one of level 0, and so many above.
        top_share: share of the losses that are of the highest level.
        optimize_every: losses of the highest level per lane between two optimiser steps.
        flush_losses: losses that wait before their gradients are computed.
        parameters: of the model, in float32.
        tensors: in which gradients are summed, one for each module.
    """

    forward_s: dict[int, float]
    variation: float
    backward_s: float
    losses: float
    top_share: float
    optimize_every: int
    parameters: float
    flush_losses: int = 64
    tensors: int = 6


@dataclass(frozen=True)
class Network:
    """What it takes to sum over workers.

    Attributes:
        hop_s: seconds from one worker to the next, for a small message.
        bytes_per_s: that a worker sends and receives at the same time.
        ring: small messages go round all workers (gloo), instead of up and down a tree (NCCL).
    """

    hop_s: float
    bytes_per_s: float
    ring: bool

    def message_s(self, workers: int) -> float:
        """Seconds to sum a few numbers."""
        return self.hop_s * (2 * (workers - 1) if self.ring else 2 * math.ceil(math.log2(workers)))

    def gather_s(self, workers: int, costs: Costs) -> float:
        """Seconds to sum all gradients, with the two small messages before them."""
        sent = 4 * costs.parameters * 2 * (workers - 1) / workers
        return (2 + costs.tensors) * self.message_s(workers) + sent / self.bytes_per_s


@dataclass(frozen=True)
class Disorder:
    """What makes workers unequal, beside what they compute.

    Attributes:
        spread: standard deviation of the speed of workers over its mean, the same during the whole run.
        stall_chance: that a snippet is not there when it is due.
        stall_s: mean seconds until it comes, exponentially distributed.
    """

    spread: float = 0.0
    stall_chance: float = 0.0
    stall_s: float = 0.0


class Draws(NamedTuple):
    """All that is random in a run of L base steps and W workers.

    Attributes:
        factors: of the forward time of every base step, `[L, W]`, 1 on average.
        upper: losses above level 0 in every base step, `[L, W]`.
        stalls: seconds for which snippets did not come, `[L, W]`.
        slowness: factor of each worker's time, `[W]`.
    """

    factors: Floats
    upper: Integers
    stalls: Floats
    slowness: Floats


class Outcome(NamedTuple):
    """How a run went. The four shares of the workers' time add up to 1.

    Attributes:
        seconds: from start to end.
        snippets: of all videos.
        busy: share of time in which workers computed, or waited for decoding.
        waiting: share in which those that had snippets waited for slower ones.
        exchange: share in which these exchanged counts and gradients.
        idle: share after the last snippet of a worker, while others went on.
        steps: optimiser steps.
    """

    seconds: float
    snippets: int
    busy: float
    waiting: float
    exchange: float
    idle: float
    steps: int

    @property
    def rate(self) -> float:
        """Snippets per second."""
        return self.snippets / self.seconds


class Video(NamedTuple):
    """A video as `assign` takes it."""

    video_id: str
    duration_s: float


def lane_lengths(
    durations_s: Sequence[float],
    workers: int,
    lanes: int,
    *,
    order: Order = "longest first",
    snippet_s: float = 0.5,
    seed: int = 0,
) -> Integers:
    """Snippets that every lane watches, `[workers, lanes]`.

    Args:
        durations_s: of all videos.
        workers: W.
        lanes: per worker.
        order: how videos are dealt: as a run does it; in turns; or each to any lane by chance.
        snippet_s: seconds per snippet.
        seed: of the chance.
    """
    slots = workers * lanes
    snippets = np.ceil(np.asarray(durations_s) / snippet_s).astype(np.int64)
    if order == "longest first":
        videos = [Video(f"{index:09}", duration) for index, duration in enumerate(durations_s)]
        shares = assign(videos, slots)
        own = [share for rank in range(workers) for share in slots_of(shares, rank, workers)]
        lengths = np.array([sum(snippets[int(video.video_id)] for video in share) for share in own])
    else:
        places = np.arange(len(snippets)) % slots
        if order == "random":
            places = np.random.default_rng(seed).integers(slots, size=len(snippets))
        lengths = np.bincount(places, weights=snippets, minlength=slots)
    return lengths.astype(np.int64).reshape(workers, lanes)


def active_lanes(lengths: Integers) -> Integers:
    """Lanes of every worker that have a snippet in every base step, `[L, W]`."""
    base_steps = np.arange(lengths.max())
    active = np.zeros((len(base_steps), len(lengths)), np.int64)
    for lane in lengths.T:
        active += lane > base_steps[:, None]
    return active


def draw(active: Integers, costs: Costs, disorder: Disorder, seed: int = 0) -> Draws:
    """Draws what is random; the same for every `sync_every`, so that runs can be compared."""
    noise, losses, decoding, workers = (np.random.default_rng([seed, stream]) for stream in range(4))
    late = decoding.binomial(active, disorder.stall_chance)
    return Draws(
        _around_one(noise, costs.variation, active.shape),
        losses.binomial(active, costs.losses - 1),
        decoding.gamma(late, disorder.stall_s),
        _around_one(workers, disorder.spread, active.shape[1:]),
    )


def simulate(
    lengths: Integers,
    costs: Costs,
    network: Network,
    draws: Draws,
    *,
    sync_every: int,
    flush: Flush = "alone",
) -> Outcome:
    """Runs to the end of all streams.

    A worker computes gradients when its losses since the last optimiser step pass a multiple of
    `flush_losses`; the engine, which starts to count again then, does so a few losses later. With
    `together`, all do at the same barrier, when their mean passes one: a rule that the engine does not have.

    Args:
        lengths: snippets that every lane watches, `[W, lanes]`.
        costs: of the model.
        network: between workers.
        draws: what is random.
        sync_every: base steps between barriers.
        flush: when gradients are computed.
    """
    workers, lanes = lengths.shape
    active = active_lanes(lengths)
    starts = np.arange(0, len(active), sync_every)
    ends = np.append(starts[1:], len(active)) - 1
    losses = active + draws.upper
    counts = losses.cumsum(axis=0)
    steps = _steps(counts[ends].sum(axis=1), costs, workers * lanes)
    batch = costs.flush_losses

    def since_step(rows: Integers) -> Integers:
        """Losses since the last optimiser step at rows of `counts`."""
        passed = np.searchsorted(ends[steps], rows)  # steps taken before each row
        return counts[rows] - np.vstack([np.zeros((1, workers), np.int64), counts[ends[steps]]])[passed]

    settled = since_step(ends)
    seconds = _forward(active, costs) * draws.factors
    if flush == "alone":
        rows = since_step(np.arange(len(active)))
        seconds += (rows // batch - (rows - losses) // batch) * (batch * costs.backward_s)
        at_barriers = np.where(steps[:, None], settled % batch, 0)
        left = settled[-1] % batch
    else:
        at_barriers = _flushed_together(settled, steps, batch)
        left = counts[-1] - at_barriers.sum(axis=0)
    before = np.add.reduceat(seconds * draws.slowness + draws.stalls, starts, axis=0)
    after = at_barriers * costs.backward_s * draws.slowness
    last = np.where(steps[-1], 0, left) * costs.backward_s * draws.slowness
    return _outcome(lengths, before, after, last, active[starts] > 0, steps, costs, network)


def _outcome(
    lengths: Integers,
    before: Floats,
    after: Floats,
    last: Floats,
    present: NDArray[np.bool_],
    steps: NDArray[np.bool_],
    costs: Costs,
    network: Network,
) -> Outcome:
    """Adds up.

    Args:
        lengths: snippets that every lane watches.
        before: seconds that workers compute before each barrier, `[P, W]`.
        after: seconds that they compute in it, `[P, W]`.
        last: seconds that they compute after the last one, `[W]`.
        present: who has snippets before each barrier, `[P, W]`.
        steps: whether a step follows, `[P]`.
        costs: of the model.
        network: between workers.
    """
    workers = len(lengths)
    message, gather = network.message_s(workers), network.gather_s(workers, costs)
    talk = (message + steps * gather)[:, None]
    waited = before.max(axis=1, keepdims=True) - before + after.max(axis=1, keepdims=True) - after
    busy = float(before.sum() + after.sum() + last.sum())
    exchange = float((present * talk).sum())
    waiting = float(waited[present].sum())
    # A worker comes to barriers after its last snippet too, and there is one to which nobody brings any.
    closing = message + gather + last.max() - last
    idle = float((talk + waited)[~present].sum() + closing.sum())
    whole = busy + waiting + exchange + idle
    total = whole / workers
    return Outcome(
        total,
        int(lengths.sum()),
        busy / whole,
        waiting / whole,
        exchange / whole,
        idle / whole,
        int(steps.sum()),
    )


def _steps(counts: Integers, costs: Costs, lanes: int) -> NDArray[np.bool_]:
    """At which barriers an optimiser step is due, from the losses counted until each."""
    due = np.zeros(len(counts), bool)
    needed = math.ceil(costs.optimize_every * lanes / costs.top_share)
    place = 0
    while (place := int(np.searchsorted(counts, (counts[place - 1] if place else 0) + needed))) < len(counts):
        due[place] = True
        place += 1
    return due


def _flushed_together(settled: Integers, steps: NDArray[np.bool_], batch: int) -> Integers:
    """Losses whose gradients workers compute at each barrier, `[P, W]`.

    Args:
        settled: losses since the last optimiser step at each barrier, `[P, W]`.
        steps: at which barriers one is due.
        batch: mean losses per worker from one flush to the next.
    """
    fresh = np.append(True, steps[:-1])  # no loss since the last step was met before these barriers
    reached = settled.sum(axis=1) // (batch * settled.shape[1])
    due = steps | (reached > np.where(fresh, 0, np.append(0, reached[:-1])))
    flushed = np.zeros_like(settled)
    places = np.flatnonzero(due)
    # What the flush before has taken does not count again, unless a step has come between.
    before = np.vstack([np.zeros((1, settled.shape[1]), np.int64), settled[places[:-1]]])[: len(places)]
    after_step = np.append(True, steps[places[:-1]])[: len(places)]
    flushed[places] = settled[places] - np.where(after_step[:, None], 0, before)
    return flushed


def _forward(active: Integers, costs: Costs) -> Floats:
    """Mean seconds of base steps, `[L, W]`."""
    known = {0: 0.0, **costs.forward_s}
    table = np.interp(np.arange(active.max() + 1), list(known), list(known.values()))
    return table[active]


def _around_one(rng: np.random.Generator, variation: float, shape: tuple[int, ...]) -> Floats:
    """Lognormal numbers of mean 1."""
    sigma = math.sqrt(math.log1p(variation**2))
    return rng.lognormal(-(sigma**2) / 2, sigma, shape)
