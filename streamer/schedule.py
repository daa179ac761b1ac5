"""When the engine computes in batches."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.config import require, require_types


@dataclass(frozen=True)
class Schedule:
    """Batches of the engine: they cost memory and save time; results change by rounding alone.

    Attributes:
        flush_losses: losses that wait before gradients are computed for all of them at once. At the
            published size a waiting loss of level 0 holds 3.5 MB (float32), with vectors a few KB.
        encode_ahead: most frames that pass the frame encoder at once, counted over all lanes, if so many
            have been offered.
    """

    flush_losses: int = 64
    encode_ahead: int = 16

    def __post_init__(self) -> None:
        require_types(self, "schedule")
        require(self.flush_losses >= 1, f"schedule.flush_losses must be at least 1, not {self.flush_losses}")
        require(self.encode_ahead >= 1, f"schedule.encode_ahead must be at least 1, not {self.encode_ahead}")
