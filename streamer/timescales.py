"""Lengths of time as users write them: `30s`, `2m`, `1.5h`, or plain seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from streamer.errors import ConfigError

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds per unit."""

_PATTERN = re.compile(r"(\d+\.?\d*|\.\d+)\s*([a-z]*)")


def parse_timescale(text: str | float, name: str) -> float:
    """The seconds that a word stands for.

    Args:
        text: such as `30s`, `2m`, `1.5h`, `45`, or a number of seconds.
        name: what asks for it, for the error message.

    Raises:
        ConfigError: it stands for no length of time.
    """
    found = _PATTERN.fullmatch(str(text).strip().lower())
    seconds = float(found[1]) * UNITS[found[2]] if found and found[2] in UNITS else 0.0
    if not 0 < seconds < math.inf:
        raise ConfigError(f"{name}: {text!r} is no length of time: write 30s, 2m, 1.5h or plain seconds")
    return seconds


def parse_timescales(words: Sequence[str | float], name: str) -> tuple[float, ...]:
    """Several lengths of time, the shortest first.

    Args:
        words: as for `parse_timescale`; a word may hold several, divided by commas.
        name: as for `parse_timescale`.

    Raises:
        ConfigError: there is none, one is no length of time, or they do not ascend.
    """
    parts = [part for word in words for part in str(word).split(",")]
    seconds = tuple(parse_timescale(part, name) for part in parts)
    if not seconds:
        raise ConfigError(f"{name}: no length of time is given: write some, as in 2s,10s,60s")
    check_ascending(seconds, name)
    return seconds


def check_ascending(seconds: Sequence[float], name: str) -> None:
    """Refuses lengths of time of which one is not longer than the one before.

    Raises:
        ConfigError: naming the two.
    """
    for shorter, longer in pairwise(seconds):
        if longer <= shorter:
            raise ConfigError(
                f"{name}: {format_timescale(longer)} follows {format_timescale(shorter)}: give lengths of "
                "time in ascending order, as in 2s,10s,60s"
            )


def format_timescale(seconds: float) -> str:
    """Seconds as `parse_timescale` reads them, in the largest unit that gives a short number: `30s`, `2m`."""
    for unit in ("h", "m"):
        if seconds >= UNITS[unit] and (seconds * 10) % UNITS[unit] == 0:
            return f"{seconds / UNITS[unit]:g}{unit}"
    return f"{seconds:g}s"
