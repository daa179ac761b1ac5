"""Configuration of the model: typed, documented, checked when it is made.

Defaults are those of the published release (Mounir, Vijayaraghavan, Sarkar, "STREAMER", NeurIPS 2023).
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from streamer.errors import ConfigError
from streamer.extractors import COMB, is_extractor_name
from streamer.features import FEATURE_DIM

T = TypeVar("T")


Distance = Literal["similarity", "distance"]
Precision = Literal["float32", "bf16", "float64"]
LEAST_RECALL = 3  # inputs: the two that must recur, and what followed them


def require(condition: bool, message: str) -> None:
    """Raises `ConfigError(message)` unless `condition` holds."""
    if not condition:
        raise ConfigError(message)


def fits(value: object, hint: Any) -> bool:
    """Whether `value` is of the type that a field's annotation names, and finite where it is a number."""
    parts = get_args(hint)
    if get_origin(hint) is Literal:
        return value in parts
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and len(value) == len(parts) and all(map(fits, value, parts))
    if parts:
        return any(fits(value, part) for part in parts)
    if hint is float:
        # Exact types: numpy's numbers could not be read back from a checkpoint with `weights_only`.
        return isinstance(value, (int, float)) and type(value) in (int, float) and math.isfinite(value)
    return type(value) is hint


def require_types(part: object, where: str) -> None:
    """Raises `ConfigError` for the first field of a dataclass whose value is not of its type."""
    words: dict[Any, str] = {
        int: "a whole number",
        float: "a finite number",
        bool: "true or false",
        type(None): "nothing",
    }
    for name, hint in get_type_hints(type(part)).items():
        options = get_args(hint) or (hint,)
        expected = " or ".join(
            f"`{option}`" if isinstance(option, str) else words.get(option) or option.__name__
            for option in dict.fromkeys(options)
        )
        value = getattr(part, name)
        count = f"{len(options)} times " if get_origin(hint) is tuple else ""
        require(fits(value, hint), f"{where}.{name} must be {count}{expected}, not {value!r}")


@dataclass(frozen=True)
class DemarcationConfig:
    """When a level's signal ends an event.

    Attributes:
        mode: `fixed` compares the signal with `threshold`; `accumulate` sums it until the sum passes
            `threshold` (distance only); `average` compares it with the mean of the last `window_size`
            signals.
        threshold: needed by `fixed` and `accumulate`; meaningless, and refused, with `average`.
        window_size: number of signals in the running mean of `average`.
        modifier_type: whether `modifier` multiplies the running mean or is added to it.
        modifier: the factor or the offset.
    """

    mode: Literal["fixed", "accumulate", "average"] = "average"
    threshold: float | None = None
    window_size: int = 50
    modifier_type: Literal["multiply", "add"] = "multiply"
    modifier: float = 1.0

    def __post_init__(self) -> None:
        require_types(self, "model.demarcation")
        if self.mode == "average":
            require(
                self.threshold is None,
                "model.demarcation.threshold has no effect in mode `average`: "
                "remove it, or set model.demarcation.mode to `fixed` or `accumulate`",
            )
            require(
                self.window_size >= 1,
                f"model.demarcation.window_size must be at least 1, not {self.window_size}",
            )
            return
        require(
            self.threshold is not None,
            f"model.demarcation.mode `{self.mode}` needs model.demarcation.threshold",
        )
        window = (self.window_size, self.modifier_type, self.modifier)
        require(
            window == (50, "multiply", 1.0),
            "model.demarcation.window_size, modifier_type and modifier have no effect in mode "
            f"`{self.mode}`: remove them, or set model.demarcation.mode to `average`",
        )


@dataclass(frozen=True)
class LearningConfig:
    """How parameters follow the losses.

    Attributes:
        lr: Adam's learning rate.
        alpha: reach of hierarchical gradient normalisation: the weight of a loss falls by this factor
            per level.
        optimize_every: losses of the level in `step_level` between two optimiser steps.
        step_level: whose losses `optimize_every` counts: of the `highest` existing level, or of the `lowest`,
            which meets one at every snippet.
        keep_predictions: after an optimiser step make representations and predictions anew from the working
            sets as they stand, with the new parameters; off, a step empties them, and every level's next
            input meets no prediction and gives no signal.
        replay: past losses of each lane that are kept, to be learned from again; 0 for none. For models of
            vectors, or of frozen features.
        replay_from: which ones: a random sample of `all` that the lane met, or its most `recent`, where the
            model shall follow what it watches more than remember what it watched.
        replay_batch: so many of them, drawn from each lane's, join every optimiser step.
        hgn_timescale: weigh each loss with the number of snippets since the level's previous input.
        hgn_reach: weigh each loss by its distance in levels; off, every level gets it in full.
    """

    lr: float = 1e-4
    alpha: float = 3.0
    optimize_every: int = 100
    step_level: Literal["highest", "lowest"] = "highest"
    keep_predictions: bool = False
    replay: int = 0
    replay_from: Literal["all", "recent"] = "all"
    replay_batch: int = 16
    hgn_timescale: bool = True
    hgn_reach: bool = True

    def __post_init__(self) -> None:
        require_types(self, "model.learning")
        require(self.lr > 0, f"model.learning.lr must be positive, not {self.lr}")
        require(self.alpha > 0, f"model.learning.alpha must be positive, not {self.alpha}")
        require(
            self.optimize_every >= 1,
            f"model.learning.optimize_every must be at least 1, not {self.optimize_every}",
        )
        self._check_replay()

    def _check_replay(self) -> None:
        require(self.replay >= 0, f"model.learning.replay must not be negative, not {self.replay}")
        if self.replay == 0:
            require(
                self.replay_batch == 16,
                "model.learning.replay_batch has no effect while model.learning.replay is 0: remove it, or "
                "set model.learning.replay to the number of past losses to keep",
            )
            require(
                self.replay_from == "all",
                "model.learning.replay_from has no effect while model.learning.replay is 0: remove it, or "
                "set model.learning.replay to the number of past losses to keep",
            )
            return
        require(
            1 <= self.replay_batch <= self.replay,
            f"model.learning.replay_batch must be from 1 to model.learning.replay ({self.replay}), not "
            f"{self.replay_batch}",
        )


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
            name != COMB or self.feature_dim <= FEATURE_DIM,
            f"model.features `comb` gives {FEATURE_DIM} numbers: model.feature_dim must be at most that, not "
            f"{self.feature_dim}",
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
