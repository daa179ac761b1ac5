"""Configuration of the model: typed, documented, checked when it is made.

Defaults are those of the published release (Mounir, Vijayaraghavan, Sarkar, "STREAMER", NeurIPS 2023).
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, TypeVar, get_type_hints

from streamer.checks import require, require_types
from streamer.demarcation_config import DemarcationConfig
from streamer.errors import ConfigError
from streamer.extractors import is_extractor_name
from streamer.learning_config import OF_SEVERAL_LEVELS, LearningConfig
from streamer.timescales import check_ascending, format_timescale

T = TypeVar("T")

Distance = Literal["similarity", "distance"]
Precision = Literal["float32", "bf16", "float64"]
LEAST_RECALL = 3  # inputs: the two that must recur, and what followed them

PRICES = (0.125, 1.0, 5.0, 10.0)
"""Of merged levels where neither prices nor timescales are named: parts of a motion, views, scenes (two)."""


@dataclass(frozen=True)
class StreamerConfig:
    """What the model is.

    Attributes:
        modality: `frames` (RGB images) or `vectors` (features, as they come).
        features: frozen features of the frames as level 0's input, instead of a frame encoder and decoder
            that learn: `comb` (colours, gradients and histograms), `package.module:factory` (a torch module
            of yours) or `hf:NAME` (a vision encoder of Hugging Face, or the folder of one). See
            docs/features.md.
        feature_dim: D, width of representations and of input vectors; a multiple of 8.
        frame_size: height and width of a frame in pixels; a multiple of 16.
        channels: channels after each of the frame encoder's four convolutions.
        normalize_pixels: L2-normalise each pixel's RGB triple before anything else.
        snippet_size: Δ, seconds per snippet.
        max_levels: most levels that may exist.
        initial_levels: levels that exist from the start.
        evolve_every: inputs that a level counts before the level above is created.
        working_set_size: S, inputs that a level remembers of the running event.
        force_fixed_buffer: also end an event when S inputs were offered to the working set.
        distance: `similarity` (cosine) or `distance` (mean squared error) between prediction and input.
        force_base_distance: level 0 uses `distance` although the others use `similarity`.
        residual: a level's prediction is its last input plus a learned share, 0 at first, of what p puts out,
            scaled to the last input's length.
        center: remove from level 0's inputs the running mean of their video, and scale them to size 1; for
            vectors and features.
        shortcut: p has a linear path from the level's last two inputs to its prediction, learned from zero;
            for vectors and features, with `residual`.
        mixing: level 0's signal judges a mixture of its last input, what `recall` expects and the learned
            prediction, weighed by how well each did lately; for vectors and features, with `residual`.
        recall: last inputs of the running video in which level 0 looks for what followed when inputs came as
            they come now, to take part in the mixture; 0 for none.
        demarcation: when an event ends.
        timescales: wanted mean length of events in seconds, for each of `max_levels`, ascending; thresholds
            follow so that they are met, which needs one of the modes `deviation`, `quantile` and `peak`.
        upper_levels: `learned` in the loop, as published, or `merged`: only level 0 is learned, and the
            levels above it join its most similar neighbouring events when the video ends.
        prices: of each merged level, ascending: the level's events are those that cost more than this to
            merge with their neighbours, in snippets (docs/quality.md). Where neither prices nor timescales
            are named, those that have proved good for `comb`: 0.125, 1, 5, 10.
        learning: how parameters follow the losses.
    """

    modality: Literal["frames", "vectors"] = "frames"
    features: str | None = None
    feature_dim: int = 1024
    frame_size: int = 128
    channels: tuple[int, int, int, int] = (32, 64, 256, 1024)
    normalize_pixels: bool = False
    snippet_size: float = 0.5
    max_levels: int = 3
    initial_levels: int = 1
    evolve_every: int = 100_000
    working_set_size: int = 10
    force_fixed_buffer: bool = False
    distance: Distance = "similarity"
    force_base_distance: bool = False
    residual: bool = False
    center: bool = False
    shortcut: bool = False
    mixing: bool = False
    recall: int = 0
    demarcation: DemarcationConfig = field(default_factory=DemarcationConfig)
    timescales: tuple[float, ...] | None = None
    upper_levels: Literal["learned", "merged"] = "learned"
    prices: tuple[float, ...] | None = None
    learning: LearningConfig = field(default_factory=LearningConfig)

    def __post_init__(self) -> None:
        require_types(self, "model")
        self._check_sizes()
        require(self.snippet_size > 0, f"model.snippet_size must be positive, not {self.snippet_size}")
        require(1 <= self.max_levels <= 127, f"model.max_levels must be from 1 to 127, not {self.max_levels}")
        require(
            1 <= self.initial_levels <= self.max_levels,
            f"model.initial_levels must be from 1 to model.max_levels ({self.max_levels}), "
            f"not {self.initial_levels}",
        )
        require(self.evolve_every >= 0, f"model.evolve_every must not be negative, not {self.evolve_every}")
        require(
            not (self.force_base_distance and self.distance == "distance"),
            "model.force_base_distance has no effect when model.distance is `distance`: remove it",
        )
        require(
            self.demarcation.mode != "accumulate" or self.distance == "distance",
            "model.demarcation.mode `accumulate` sums errors: set model.distance to `distance`",
        )
        require(
            not (self.normalize_pixels and self.modality == "vectors"),
            "model.normalize_pixels has no effect when model.modality is `vectors`: remove it",
        )
        require(
            not (self.center and self.encodes_frames),
            "model.center is for vectors, not for frames: remove it, or set model.features",
        )
        require(
            not (self.learning.replay and self.encodes_frames),
            "model.learning.replay keeps vectors, not frames: remove it, or set model.features",
        )
        self._check_mixing()
        self._check_timescales()
        self._check_prices()
        self._check_upper_levels()
        self._check_features()

    def _check_mixing(self) -> None:
        for name in ("shortcut", "mixing"):
            require(
                not (getattr(self, name) and self.encodes_frames),
                f"model.{name} is for vectors, not for frames: remove it, or set model.features",
            )
            require(
                self.residual or not getattr(self, name),
                f"model.{name} has no effect without model.residual: set it too, or remove model.{name}",
            )
        require(
            self.recall == 0 or self.recall >= LEAST_RECALL,
            f"model.recall must be 0 or at least {LEAST_RECALL}, not {self.recall}",
        )
        require(
            self.mixing or self.recall == 0,
            "model.recall has no effect without model.mixing: set it too, or remove model.recall",
        )

    def _check_features(self) -> None:
        name = self.features
        if name is None:
            return
        require(
            self.modality == "frames",
            "model.features has no effect when model.modality is `vectors`: remove it",
        )
        require(
            is_extractor_name(name),
            "model.features must be `comb`, a function that returns a torch module as "
            f"`package.module:function`, or a Hugging Face encoder as `hf:NAME`, not {name!r}",
        )
        require(
            not self.normalize_pixels,
            "model.normalize_pixels has no effect when model.features is set: remove one of them",
        )

    def _check_sizes(self) -> None:
        require(
            self.feature_dim > 0 and self.feature_dim % 8 == 0,
            f"model.feature_dim must be a positive multiple of 8, not {self.feature_dim}",
        )
        require(
            self.frame_size > 0 and self.frame_size % 16 == 0,
            f"model.frame_size must be a positive multiple of 16, not {self.frame_size}",
        )
        require(
            min(self.channels) > 0,
            f"model.channels must be four positive numbers, not {self.channels}",
        )
        require(
            self.working_set_size >= 1,
            f"model.working_set_size must be at least 1, not {self.working_set_size}",
        )

    def _check_timescales(self) -> None:
        if self.timescales is None:
            return
        rule, where = self.demarcation, "model.timescales"
        require(
            rule.adaptive,
            f"{where} needs a threshold that follows, which mode `{rule.mode}` has not: set "
            "model.demarcation.mode to `deviation`, `quantile` or `peak`",
        )
        for name in ("deviations", "share"):
            require(
                rule.is_default(name),
                f"model.demarcation.{name} has no effect where {where} are named: remove one of them",
            )
        require(
            len(self.timescales) == self.max_levels,
            f"{where} names {len(self.timescales)} levels but model.max_levels is {self.max_levels}: "
            "give as many",
        )
        require(self.timescales[0] > 0, f"{where} must be positive, not {self.timescales[0]}")
        check_ascending(self.timescales, where)
        # Inputs of a level are events of the one below; merged levels have no least length.
        inputs_s = (self.snippet_size, *self.timescales)
        for input_s, wanted_s in list(zip(inputs_s, self.timescales, strict=False))[: self.learned_levels]:
            least_s = rule.least_length * input_s
            require(
                wanted_s >= least_s,
                f"{where}: {format_timescale(wanted_s)} is shorter than the shortest event, "
                f"{format_timescale(least_s)}: name a longer one, or lower model.demarcation.least_length "
                "or model.snippet_size",
            )
        require(
            not self.force_fixed_buffer,
            "model.force_fixed_buffer ends events by their length alone, which is not what model.timescales "
            "ask for: remove one of them",
        )

    def _check_prices(self) -> None:
        if self.prices is None:
            return
        where = "model.prices"
        require(
            self.upper_levels == "merged",
            f"{where} have no effect when model.upper_levels is `learned`: remove them",
        )
        require(
            self.timescales is None,
            f"{where} have no effect where model.timescales are named: remove one of them",
        )
        require(
            len(self.prices) == self.max_levels - 1,
            f"{where} names {len(self.prices)} levels above the finest but model.max_levels is "
            f"{self.max_levels}: give one fewer",
        )
        require(
            min(self.prices, default=1) > 0,
            f"{where} must be positive, not {min(self.prices, default=1)}",
        )
        require(
            all(lower < higher for lower, higher in pairwise(self.prices)),
            f"{where} must rise from level to level, not {list(self.prices)}",
        )

    def _check_upper_levels(self) -> None:
        if self.upper_levels == "merged":
            unused = [("model", self, name) for name in ("initial_levels", "evolve_every")]
            unused += [("model.learning", self.learning, name) for name in OF_SEVERAL_LEVELS]
            for of, part, name in unused:
                require(
                    getattr(part, name) == getattr(type(part), name),
                    f"{of}.{name} has no effect when model.upper_levels is `merged`: remove it",
                )
            require(
                self.prices is not None or self.timescales is not None or self.max_levels <= len(PRICES) + 1,
                f"model.max_levels is {self.max_levels}, and prices are known of {len(PRICES)} merged levels "
                "only: name model.timescales or model.prices",
            )

    @property
    def merge_prices(self) -> tuple[float, ...]:
        """Prices of the merged levels."""
        return PRICES[: self.max_levels - 1] if self.prices is None else self.prices

    @property
    def learned_levels(self) -> int:
        """Most levels that are learned; those above are merged."""
        return 1 if self.upper_levels == "merged" else self.max_levels

    @property
    def encodes_frames(self) -> bool:
        """Whether level 0 has a frame encoder and decoder, and its input are pixels, not vectors."""
        return self.modality == "frames" and self.features is None

    def distance_of(self, level: int) -> Distance:
        """Distance that `level` uses."""
        return "distance" if level == 0 and self.force_base_distance else self.distance

    def to_dict(self) -> dict[str, Any]:
        """The configuration as nested plain values, as `config_from_dict` reads them."""
        return dataclasses.asdict(self)


def nearest(name: str, known: list[str]) -> str:
    """A hint of the known name most like `name`, or an empty string."""
    close = difflib.get_close_matches(name, known, n=len(known) or 1, cutoff=0.5)

    def likeness(other: str) -> tuple[float, int]:
        return difflib.SequenceMatcher(None, other, name).ratio(), -abs(len(other) - len(name))

    return f" (did you mean {max(close, key=likeness)}?)" if close else ""


def config_from_dict(kind: type[T], values: Mapping[str, Any], where: str = "model") -> T:
    """Builds the dataclass `kind` from nested plain values, refusing unknown keys.

    Args:
        kind: `StreamerConfig` or one of its parts.
        values: nested mapping of field names to values; lists become tuples.
        where: name of the mapping in error messages.

    Raises:
        ConfigError: an unknown key, or a value of another type or that the dataclass refuses.
    """
    hints = get_type_hints(kind)
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            raise ConfigError(f"unknown key {where}.{key}{nearest(key, list(hints))}")
        part = hints[key]
        if isinstance(part, type) and dataclasses.is_dataclass(part) and isinstance(value, Mapping):
            value = config_from_dict(part, value, f"{where}.{key}")
        arguments[key] = tuple(value) if isinstance(value, list) else value
    return kind(**arguments)


def config_difference(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "model.") -> list[str]:
    """Names of the entries in which two nested configurations differ."""
    names = []
    for key in sorted({*one, *other}):
        a, b = one.get(key), other.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            names += config_difference(a, b, f"{prefix}{key}.")
        elif (list(a) if isinstance(a, tuple) else a) != (list(b) if isinstance(b, tuple) else b):
            names.append(f"{prefix}{key}")
    return names
