"""Results as a table on the terminal and as JSON in a file."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from streamer.atomic import atomic_write

Row = Mapping[str, Any]


def spread(values: Sequence[float]) -> float:
    """Half the distance between the quartiles over the median: how noisy repetitions are."""
    if len(values) < 2:
        return 0.0
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return (upper - lower) / 2 / middle if middle else 0.0


def show(title: str, rows: Sequence[Row], console: Console) -> None:
    """Prints rows that share their keys, without lists (for the JSON only) and what no row has."""
    console.print(title, style="italic", highlight=False, markup=False, soft_wrap=True)
    table = Table()
    known = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    names = [name for name in known if not isinstance(rows[0][name], list)]
    for name in names:
        table.add_column(name, justify="left" if isinstance(rows[0][name], str) else "right")
    for row in rows:
        table.add_row(*(_text(row[name]) for name in names))
    console.print(table)


def machine() -> dict[str, Any]:
    """Where and when a benchmark ran, and how busy the machine was with other things."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "av", "numpy", "pyarrow")},
    }


def introduce(where: Mapping[str, Any], console: Console) -> None:
    """Prints one line of what `machine` returned."""
    console.print(
        f"{where['date']}, {where['processor']}, {where['cpus']} cores, load {where['load_before']:.1f}; "
        f"Python {where['python']}, torch {where['torch']}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Writes results as JSON, whole or not at all."""
    with atomic_write(path) as temporary:
        Path(temporary).write_text(json.dumps(results, indent=2) + "\n")


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)
