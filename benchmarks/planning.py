"""What many workers and their decoders would do: tables made with the simulation, and by division."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.simulation import (
    Costs,
    Disorder,
    Flush,
    Network,
    Order,
    Outcome,
    active_lanes,
    draw,
    lane_lengths,
    simulate,
)
from streamer.errors import ConfigError

Row = dict[str, Any]
Show = Callable[[str, list[Row]], None]

SNIPPET_S = 0.5
HOUR_S = 3600.0
LANES = (1, 4, 8)
SYNC_EVERY = (1, 10, 100)
SPREADS = (0.0, 0.1, 0.3)
STRETCH_S = 1800.0  # of video, watched by every lane where streams shall be equally long
STALL_CHANCE, STALL_S = 1 / 2400, 0.17  # a run of 2400 snippets waited so long for rows: docs/benchmarks.md
LONG_S = 24 * HOUR_S

# Lengths of videos in seconds: of twenty equally many, the shortest and the longest, from the annotations.
KITCHENS_S = (
    *(10, 31, 55, 71, 97, 121, 147, 176, 207, 243, 308),
    *(367, 419, 494, 559, 679, 789, 973, 1302, 1821, 3708),
)
GOALSTEP_S = (
    *(38, 274, 428, 549, 614, 757, 848, 945, 1058, 1161, 1228),
    *(1384, 1662, 1800, 1961, 2116, 2335, 2785, 3533, 4979, 7224),
)

# Small model, one thread of a CPU: `python -m benchmarks scaling --only "Base steps"`.
SMALL = Costs(
    forward_s={1: 0.0033, 4: 0.0068, 8: 0.0106},
    variation=0.45,
    backward_s=0.0012,
    losses=1.6,
    top_share=0.08,
    optimize_every=5,
    parameters=2.3e6,
)
# Published size, two CPU cores: stages of docs/engine.md, a step every 500 snippets per lane; variation and
# number of losses are the small model's.
PAPER = Costs(
    forward_s={1: 0.026, 8: 0.102},
    variation=0.45,
    backward_s=0.018,
    losses=1.6,
    top_share=0.125,
    optimize_every=100,
    parameters=2.4e8,
)
# The same on a GPU: assumed, not measured.
GPU = replace(PAPER, forward_s={1: 0.006, 8: 0.0085}, backward_s=0.0005)

ETHERNET = Network(hop_s=100e-6, bytes_per_s=1.25e9, ring=True)  # gloo over 10 Gbit/s: assumed
FABRIC = Network(hop_s=15e-6, bytes_per_s=10e9, ring=False)  # NCCL over 100 Gbit/s: assumed

MODELS = {"small": (SMALL, ETHERNET), "paper": (PAPER, ETHERNET), "gpu": (GPU, FABRIC)}

# CPU seconds per snippet: docs/benchmarks.md; 1080p at 50 frames/s as EPIC-KITCHENS has it; a mapped file.
DECODING_S = {
    "1080p50, GOP 250": SNIPPET_S / 4.8,
    "1080p30, generated": 1 / 27,
    "1080p, GoPro": 1 / 51,
    "640x360": 1 / 235,
}


@dataclass(frozen=True)
class Options:
    """What is computed.

    Attributes:
        model: name of the costs and the network, of `MODELS`.
        workers: numbers of workers.
        durations: CSV file of lengths, for a table of one's own library.
        forward_ms: replaces the time of base steps, by lanes.
        backward_ms: replaces the time per loss.
        hop_us: replaces the time of a small message from one worker to the next.
        gbit: replaces the bandwidth.
        rates: snippets per second of workers, for the table of decoders.
        cached_us: CPU time to read a snippet from a cache.
        seed: of all that is random.
    """

    model: str = "small"
    workers: tuple[int, ...] = (1, 8, 64, 512)
    durations: Path | None = None
    forward_ms: dict[int, float] = field(default_factory=dict)
    backward_ms: float | None = None
    hop_us: float | None = None
    gbit: float | None = None
    rates: tuple[float, ...] = (25.0, 190.0, 330.0, 600.0)
    cached_us: float = 3.5
    seed: int = 0

    def costs(self) -> Costs:
        """The model's costs."""
        costs, _ = MODELS[self.model]
        forward = {lanes: ms / 1000 for lanes, ms in sorted(self.forward_ms.items())}
        backward = costs.backward_s if self.backward_ms is None else self.backward_ms / 1000
        return replace(costs, forward_s=forward or costs.forward_s, backward_s=backward)

    def network(self) -> Network:
        """The network."""
        _, network = MODELS[self.model]
        hop = network.hop_s if self.hop_us is None else self.hop_us / 1e6
        speed = network.bytes_per_s if self.gbit is None else self.gbit * 1e9 / 8
        return replace(network, hop_s=hop, bytes_per_s=speed)


def add_arguments(group: argparse._ArgumentGroup) -> None:
    """Adds the arguments that `options_from` reads."""
    default = Options()
    group.add_argument("--durations", type=Path, help="CSV with a column duration_s or duration, in seconds")
    group.add_argument("--costs", choices=MODELS, default=default.model, help="model, machine and network")
    group.add_argument("--workers", nargs="+", type=int, default=default.workers, metavar="W")
    group.add_argument(
        "--forward_ms", nargs="+", type=_by_lanes, default=[], metavar="LANES=MS", help="time of base steps"
    )
    group.add_argument("--backward_ms", type=float, metavar="MS", help="time of the gradients of a loss")
    group.add_argument("--hop_us", type=float, metavar="US", help="from one worker to the next")
    group.add_argument("--gbit", type=float, metavar="N", help="bandwidth of each worker, Gbit/s")
    group.add_argument("--rates", nargs="+", type=float, default=default.rates, metavar="SNIPPETS/S")
    group.add_argument("--cached_us", type=float, default=default.cached_us, metavar="US")
    group.add_argument("--seed", type=int, default=default.seed)


def options_from(arguments: argparse.Namespace) -> Options:
    """What the command line asks for."""
    return Options(
        model=arguments.costs,
        workers=tuple(arguments.workers),
        durations=arguments.durations,
        forward_ms=dict(arguments.forward_ms),
        backward_ms=arguments.backward_ms,
        hop_us=arguments.hop_us,
        gbit=arguments.gbit,
        rates=tuple(arguments.rates),
        cached_us=arguments.cached_us,
        seed=arguments.seed,
    )


def run(options: Options, show: Show) -> list[Row]:
    """Makes all tables.

    Raises:
        ConfigError: the file of durations cannot be used, or there would be no worker.
    """
    if min(options.workers) < 1:
        raise ConfigError(f"--workers must be at least 1, not {min(options.workers)}")
    libraries = _libraries(options)
    tables = {
        "Equal streams: waiting at barriers": _barriers(options),
        "Equal streams: gradients computed by every worker alone, or by all together": _flushes(options),
        "Equal streams: what workers wait for": _causes(options),
        "Equal streams: workers of unequal speed": _spreads(options),
        "Libraries: how videos are dealt, a barrier every 10 base steps": _dealing(options, libraries),
        "One video of 24 hours among 512 of one hour": _long_video(options),
        "CPUs that decode for one worker": _decoders(options),
    }
    for title, rows in tables.items():
        show(f"{title} ({options.model})", rows)
    return [{"table": title, **row} for title, rows in tables.items() for row in rows]


def read_durations(path: Path) -> list[float]:
    """Lengths of videos in seconds.

    Raises:
        ConfigError: the file has none.
    """
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        name = next((name for name in ("duration_s", "duration") if name in (reader.fieldnames or [])), None)
        if name is None:
            raise ConfigError(f"{path}: no column duration_s or duration: name the column of seconds so")
        try:
            durations = [float(row[name]) for row in reader]
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{path}: column {name}: {error}: give seconds as numbers") from error
    if not durations or not all(0 < duration < float("inf") for duration in durations):
        raise ConfigError(f"{path}: column {name}: give at least one length, and all of them positive")
    return durations


def sample(quantiles: Sequence[float], count: int) -> list[float]:
    """Lengths of `count` videos that are distributed as the quantiles tell, always the same."""
    places = (np.arange(count) + 0.5) / count
    lengths = np.interp(places, np.linspace(0, 1, len(quantiles)), quantiles)
    return np.random.default_rng(0).permutation(lengths).tolist()  # files lie in no order of length


def decode_cpus(rate: float, seconds_per_snippet: float) -> float:
    """CPUs that must decode for a worker to observe `rate` snippets per second."""
    return rate * seconds_per_snippet


def _libraries(options: Options) -> dict[str, list[float]]:
    if options.durations is not None:
        return {options.durations.name: read_durations(options.durations)}
    return {"EPIC-KITCHENS": sample(KITCHENS_S, 700), "Goal-Step": sample(GOALSTEP_S, 1024)}


def _simulated(
    lengths: np.ndarray,
    options: Options,
    *,
    sync_every: int,
    flush: Flush = "alone",
    spread: float = 0.02,
    stall_s: float = STALL_S,
    costs: Costs | None = None,
) -> Outcome:
    costs = costs or options.costs()
    disorder = Disorder(spread=spread, stall_chance=STALL_CHANCE, stall_s=stall_s)
    draws = draw(active_lanes(lengths), costs, disorder, options.seed)
    return simulate(lengths, costs, options.network(), draws, sync_every=sync_every, flush=flush)


def _equal(workers: int, lanes: int) -> np.ndarray:
    return np.full((workers, lanes), round(STRETCH_S / SNIPPET_S))


def _barriers(options: Options) -> list[Row]:
    rows = []
    for lanes, every in product(LANES, SYNC_EVERY):
        alone = _simulated(_equal(1, lanes), options, sync_every=every)
        for workers in options.workers:
            outcome = _simulated(_equal(workers, lanes), options, sync_every=every)
            place = {"workers": workers, "lanes": lanes, "sync_every": every}
            rows.append(place | _told(outcome, workers, alone))
    return rows


def _flushes(options: Options) -> list[Row]:
    rows = []
    for every, flush in product(SYNC_EVERY[:2], get_args(Flush)):
        alone = _simulated(_equal(1, 8), options, sync_every=every)
        for workers in filter(_many, options.workers):
            outcome = _simulated(_equal(workers, 8), options, sync_every=every, flush=flush)
            place = {"gradients": flush, "workers": workers, "lanes": 8, "sync_every": every}
            rows.append(place | _told(outcome, workers, alone))
    return rows


def _causes(options: Options) -> list[Row]:
    """With each cause taken away; gradients of single losses come evenly, instead of many at once."""
    costs = options.costs()
    even = replace(costs, flush_losses=1)
    same = replace(costs, variation=0.0)
    cases = {
        "nothing": (costs, STALL_S),
        "gradients of many losses at once": (even, STALL_S),
        "base steps of unequal length": (same, STALL_S),
        "decoders that stall": (costs, 0.0),
        "all three": (replace(even, variation=0.0), 0.0),
    }
    rows = []
    for (name, (model, stall_s)), every in product(cases.items(), SYNC_EVERY[:2]):
        alone = _simulated(_equal(1, 8), options, sync_every=every, stall_s=stall_s, costs=model)
        for workers in filter(_many, options.workers):
            outcome = _simulated(_equal(workers, 8), options, sync_every=every, stall_s=stall_s, costs=model)
            place = {"without": name, "workers": workers, "lanes": 8, "sync_every": every}
            rows.append(place | _told(outcome, workers, alone))
    return rows


def _spreads(options: Options) -> list[Row]:
    rows = []
    alone = _simulated(_equal(1, 8), options, sync_every=100, spread=0.0)
    for spread, workers in product(SPREADS, filter(_many, options.workers)):
        outcome = _simulated(_equal(workers, 8), options, sync_every=100, spread=spread)
        place = {"spread of speed": spread, "workers": workers, "lanes": 8, "sync_every": 100}
        rows.append(place | _told(outcome, workers, alone))
    return rows


def _dealing(options: Options, libraries: dict[str, list[float]]) -> list[Row]:
    rows = []
    for (name, durations), lanes in product(libraries.items(), (1, 8)):
        alone = _simulated(lane_lengths(durations, 1, lanes), options, sync_every=10)
        for workers, order in product(filter(_many, options.workers), get_args(Order)):
            lengths = lane_lengths(durations, workers, lanes, order=order, seed=options.seed)
            outcome = _simulated(lengths, options, sync_every=10)
            place = {"library": name, "workers": workers, "lanes": lanes, "dealt": order}
            rows.append(place | _told(outcome, workers, alone))
    return rows


def _long_video(options: Options) -> list[Row]:
    rows = []
    for lanes in (1, 8):
        for extra in ([], [LONG_S]):
            library = [HOUR_S] * 512 + extra
            alone = _simulated(lane_lengths(library, 1, lanes), options, sync_every=10)
            for workers in options.workers:
                outcome = _simulated(lane_lengths(library, workers, lanes), options, sync_every=10)
                place = {"long video": "yes" if extra else "no", "workers": workers, "lanes": lanes}
                rows.append(place | _told(outcome, workers, alone))
    return rows


def _many(workers: int) -> bool:
    return workers > 1


def _told(outcome: Outcome, workers: int, alone: Outcome) -> Row:
    """A row: hours, shares of the workers' time in percent, speed, and speed against one worker's."""
    return {
        "hours": outcome.seconds / HOUR_S,
        "busy %": 100 * outcome.busy,
        "waiting %": 100 * outcome.waiting,
        "exchange %": 100 * outcome.exchange,
        "idle %": 100 * outcome.idle,
        "steps": outcome.steps,
        "snippets/s": outcome.rate,
        "efficiency": outcome.rate / (workers * alone.rate),
    }


def _decoders(options: Options) -> list[Row]:
    rows = []
    for name, seconds in (*DECODING_S.items(), ("from a cache", options.cached_us / 1e6)):
        row = {"source": name, "CPU s per hour of video": seconds * HOUR_S / SNIPPET_S}
        rates = {f"{rate:g} snippets/s": decode_cpus(rate, seconds) for rate in options.rates}
        rows.append(row | rates)
    return rows


def _by_lanes(text: str) -> tuple[int, float]:
    lanes, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text}: give LANES=MS, such as 8=12.5")
    return int(lanes), float(value)
