"""Configuration of the `cut` command."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from streamer.config import require
from streamer.timescales import parse_timescales


@dataclass
class CutConfig:
    """Cuts the trees of a run at other timescales, without looking at its videos again.

    Attributes:
        run: folder of a run whose upper levels were merged (model.upper_levels merged).
        every: wanted mean length of events, a level each, ascending: 30s, 2m, 1.5h or plain seconds. No event
            is shorter than the finest ones of the run.
        out: folder of the run that is written: hierarchies with these levels and no others.
        fresh: start over; removes what an earlier run left in out.
        truth: annotations to score against; by default those of the run.
        max_failed: exit with 1 when more videos failed.
        tracking_uri: MLflow store or server; by default MLFLOW_TRACKING_URI, or else a SQLite file in out.
        experiment: MLflow experiment.
    """

    run: str
    every: list[str]
    out: str
    fresh: bool = False
    truth: str | None = None
    max_failed: int = 0
    tracking_uri: str | None = None
    experiment: str = "streamer"

    def __post_init__(self) -> None:
        require(self.out != "", "--out is empty: name the folder of the run")
        require(self.max_failed >= 0, f"--max_failed must not be negative, not {self.max_failed}")
        require(len(self.timescales) <= 127, "--every: a hierarchy has at most 127 levels: name fewer")

    @property
    def timescales(self) -> tuple[float, ...]:
        """Wanted mean lengths in seconds, ascending."""
        return parse_timescales(self.every, "--every")

    def settings(self) -> dict[str, Any]:
        """As plain values, with lengths in seconds."""
        return {**asdict(self), "every": list(self.timescales)}
