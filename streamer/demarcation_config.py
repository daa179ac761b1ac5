"""Configuration of the rules that end events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Literal

from streamer.checks import require, require_types

Mode = Literal["fixed", "accumulate", "average", "deviation", "quantile", "peak"]
ADAPTIVE_MODES = ("deviation", "quantile", "peak")
LEAST_WINDOW = 5  # signals without which the adaptive modes take none for bad
_OPTIONS_OF_MODES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "fixed": ("threshold",),
        "accumulate": ("threshold",),
        "average": ("window_size", "modifier_type", "modifier"),
        "deviation": ("window_size", "deviations", "least_length", "relative"),
        "quantile": ("window_size", "share", "least_length", "relative"),
        "peak": ("window_size", "share", "least_length", "relative"),
    }
)


@dataclass(frozen=True)
class DemarcationConfig:
    """When a level's signal ends an event. An option that has no effect in the mode is refused.

    Attributes:
        mode: `fixed` compares the signal with `threshold`; `accumulate` sums it until the sum passes
            `threshold` (distance only); `average` compares it with the mean of the last `window_size`
            signals; `deviation` takes it for bad when it is worse than that mean by `deviations` standard
            deviations; `quantile` when it is among the worst `share` of those signals; `peak` when it is so
            and worse than the signals before and after, which is known one input later.
        threshold: of `fixed` and `accumulate`, which need it.
        window_size: number of last signals that the signal is compared with, in all other modes.
        modifier_type: whether `modifier` multiplies the running mean of `average` or is added to it.
        modifier: the factor or the offset.
        deviations: of `deviation`: standard deviations from the running mean.
        share: of `quantile` and `peak`: share of the last signals.
        least_length: inputs that an event must have to be ended by `deviation`, `quantile` or `peak`.
        relative: these three read signals by how much worse they are than the last few, not as they are.
    """

    mode: Mode = "average"
    threshold: float | None = None
    window_size: int = 50
    modifier_type: Literal["multiply", "add"] = "multiply"
    modifier: float = 1.0
    deviations: float = 2.0
    share: float = 0.1
    least_length: int = 1
    relative: bool = False

    def __post_init__(self) -> None:
        require_types(self, "model.demarcation")
        for name in (part.name for part in fields(self)):
            modes = [f"`{mode}`" for mode, options in _OPTIONS_OF_MODES.items() if name in options]
            require(
                name in ("mode", *_OPTIONS_OF_MODES[self.mode]) or self.is_default(name),
                f"model.demarcation.{name} has no effect in mode `{self.mode}`: "
                f"remove it, or set model.demarcation.mode to {' or '.join(modes)}",
            )
        require(
            self.threshold is not None or self.mode not in ("fixed", "accumulate"),
            f"model.demarcation.mode `{self.mode}` needs model.demarcation.threshold",
        )
        least = LEAST_WINDOW if self.adaptive else 1
        require(
            self.window_size >= least,
            f"model.demarcation.window_size must be at least {least}, not {self.window_size}",
        )
        require(self.deviations > 0, f"model.demarcation.deviations must be positive, not {self.deviations}")
        require(0 < self.share < 1, f"model.demarcation.share must be between 0 and 1, not {self.share}")
        require(
            self.least_length >= 1,
            f"model.demarcation.least_length must be at least 1, not {self.least_length}",
        )

    @property
    def adaptive(self) -> bool:
        """Whether the threshold follows the scale of the last signals."""
        return self.mode in ADAPTIVE_MODES

    def is_default(self, name: str) -> bool:
        """Whether an option is as it is where nobody sets it."""
        return getattr(self, name) == getattr(DemarcationConfig, name)
