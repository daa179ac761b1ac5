"""From measurements of one setting to tables."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import floor
from benchmarks.clock import Cost
from benchmarks.floor import ANY_LANES, Best, Key, Workload
from benchmarks.report import spread
from benchmarks.subject import Subject
from benchmarks.window import Part, Window
from streamer.config import Precision, StreamerConfig

Row = dict[str, Any]
OF_STEPS = ("model", "lanes", "type", "step ms", "step every", "in steps", "due after", "MB before", "MB")


class Comparison:
    """What was measured of models that are compared with each other.

    Attributes:
        config: what the models are.
        windows: per model, one for each repetition.
        floors: per precision, one for each repetition.
    """

    def __init__(self, config: StreamerConfig) -> None:
        self.config = config
        self.windows: dict[Subject, list[Window]] = defaultdict(list)
        self.floors: dict[Precision, list[dict[Key, Best]]] = defaultdict(list)

    @property
    def plain(self) -> list[Window]:
        """Windows of the plain model."""
        [windows] = [windows for subject, windows in self.windows.items() if not subject.lanes]
        return windows

    def engines(self, precision: Precision) -> dict[int, list[Window]]:
        """Windows of the engine, by number of lanes."""
        engines = self.windows.items()
        return {s.lanes: windows for s, windows in engines if s.lanes and s.precision == precision}

    def workloads(self, precision: Precision) -> dict[int, Workload]:
        """What passed the engine's networks in its last windows, by number of lanes."""
        engines = self.engines(precision)
        return {lanes: Workload(w[-1].snippets, w[-1].lengths) for lanes, w in engines.items()}

    def best_batches(self, precision: Precision) -> dict[Key, list[int]]:
        """The batch sizes to try, once all have been tried."""
        return {key: [best.batch] for floors in self.floors[precision][:1] for key, best in floors.items()}

    def floor_ms(self, precision: Precision, key: Key) -> float:
        """Milliseconds per snippet of one part."""
        return 1000 * statistics.median(floors[key].cost.wall_s for floors in self.floors[precision])

    def whole_floor_ms(self, precision: Precision, lanes: int) -> float:
        """Milliseconds per snippet of all parts."""
        keys = floor.keys(self.config, [lanes])
        return sum(self.floor_ms(precision, key) for key in keys)


def speed_rows(comparison: Comparison) -> list[Row]:
    """One row per model; the plain one's steps are counted as often as those of the engine beside it."""
    engines = [(subject, windows) for subject, windows in comparison.windows.items() if subject.lanes]
    rows = [_speed_row(comparison, "plain", 1, "float32", comparison.plain, _period(engines[0][1]))]
    for subject, windows in engines:
        lanes, precision = subject.lanes, subject.precision
        row = _speed_row(comparison, "engine", lanes, precision, windows, _period(windows))
        row["of floor"] = comparison.whole_floor_ms(precision, lanes) / row["ms"]
        row["due after"] = _due_after(comparison.config, lanes, windows) if subject.train else None
        rows.append(row)
    return rows


def without_steps(rows: Sequence[Row]) -> list[Row]:
    """The columns of speed alone."""
    names = [name for name in rows[0] if name not in OF_STEPS[3:]]
    return [{name: row[name] for name in names} for row in rows]


def steps_and_memory(rows: Sequence[Row]) -> list[Row]:
    """The columns of optimiser steps and memory."""
    return [{name: row[name] for name in OF_STEPS} for row in rows]


def _speed_row(
    comparison: Comparison,
    model: str,
    lanes: int,
    precision: Precision,
    windows: Sequence[Window],
    period: float | None,
) -> Row:
    costs, plain = _per_snippet(windows, period), _per_snippet(comparison.plain, period)
    wall, cpu = _median(costs)
    plain_wall, plain_cpu = _median(plain)
    step = _step(windows)
    return {
        "model": model,
        "lanes": lanes,
        "type": precision,
        "snippets/s": 1 / wall,
        "ms": 1000 * wall,
        "CPU ms": 1000 * cpu,
        "spread": spread([cost.wall_s for cost in costs]),
        "to plain": plain_wall / wall,
        "by CPU": plain_cpu / cpu,
        "of floor": None,
        "step ms": step and 1000 * step.wall_s,
        "step every": period,
        "in steps": step and period and step.wall_s / period / wall,
        "due after": None,
        "MB before": windows[0].peak_before_mb,
        "MB": max(window.peak_mb for window in windows),
        "wall_s": [cost.wall_s for cost in costs],
        "cpu_s": [cost.cpu_s for cost in costs],
        "step_s": [window.optimizer.wall_s / window.steps for window in windows if window.steps],
    }


def floor_rows(comparison: Comparison) -> list[Row]:
    """One row per network and precision, and their sum; a column per number of lanes."""
    rows = []
    for precision in comparison.floors:
        lanes = list(comparison.engines(precision))
        keys = floor.keys(comparison.config, lanes)
        for part in dict.fromkeys(part for _, part in keys):
            own = {n: (n, part) if (n, part) in keys else (ANY_LANES, part) for n in lanes}
            sizes = sorted({size for key in own.values() for size in comparison.best_batches(precision)[key]})
            batch = ", ".join(map(str, sizes))
            cells = {n: comparison.floor_ms(precision, key) for n, key in own.items()}
            rows.append(_row_by_lanes({"network": _name(part), "type": precision, "batch": batch}, cells))
        sums = {n: comparison.whole_floor_ms(precision, n) for n in lanes}
        rows.append(_row_by_lanes({"network": "sum", "type": precision, "batch": "-"}, sums))
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in columns} for row in rows]


def stage_rows(seconds: Mapping[int, Mapping[str, float]]) -> list[Row]:
    """One row per stage, and their sum.

    Args:
        seconds: per snippet, by number of lanes and by stage.
    """
    names = [name for name in next(iter(seconds.values())) if any(of[name] for of in seconds.values())]
    cells = {name: {lanes: 1000 * of[name] for lanes, of in seconds.items()} for name in names}
    sums = {lanes: 1000 * sum(of.values()) for lanes, of in seconds.items()}
    return [_row_by_lanes({"stage": name}, cell) for name, cell in {**cells, "sum": sums}.items()]


def _row_by_lanes(start: Row, cells: Mapping[int, float]) -> Row:
    return {**start, **{f"{n} lane{'s' if n > 1 else ''}": value for n, value in cells.items()}}


def _name(part: Part) -> str:
    return part[0] if part in (floor.ENCODER, floor.DECODER) else f"{part[0]} of level {part[1]}"


def _period(windows: Sequence[Window]) -> float | None:
    """Snippets per optimiser step; None without learning."""
    return statistics.median(w.snippets / w.steps for w in windows) if windows[0].steps else None


def _step(windows: Sequence[Window]) -> Cost | None:
    """One optimiser step; the first of each process, which takes memory, is left out where there are more."""
    later = windows[1:] or windows
    if not later[0].steps:
        return None
    return _median([window.optimizer.over(window.steps) for window in later])


def _per_snippet(windows: Sequence[Window], period: float | None) -> list[Cost]:
    """Cost of a snippet in each window, with its part of an optimiser step every `period` snippets."""
    step = _step(windows)
    part = Cost() if step is None or period is None else step.over(period)
    return [window.whole.minus(window.optimizer).over(window.snippets).plus(part) for window in windows]


def _due_after(config: StreamerConfig, lanes: int, windows: Sequence[Window]) -> float | None:
    """About how many snippets bring an optimiser step by the configuration's own rule."""
    top = ("p", config.initial_levels - 1)
    inputs = sum(sum(window.lengths[top].values()) for window in windows)
    snippets = sum(window.snippets for window in windows)
    return snippets / inputs * config.learning.optimize_every * lanes if inputs else None


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*costs, strict=True)))
