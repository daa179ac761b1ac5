"""Tiny models of vectors, and streams for them."""

import dataclasses
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from streamer.config import DemarcationConfig, LearningConfig, StreamerConfig
from streamer.hierarchy import Hierarchy
from tests.oracle_cases import fill

Signal = TypeVar("Signal")

ALWAYS = DemarcationConfig(mode="fixed", threshold=2.0)  # every similarity is below it
NEVER = DemarcationConfig(mode="fixed", threshold=-2.0)


class Model(Protocol[Signal]):
    """A model with one lane: the engine's, or the plain one."""

    @property
    def levels(self) -> nn.Module: ...

    def observe(self, snippet: Tensor, /) -> list[Signal]: ...

    def end_video(self) -> Hierarchy: ...


def tiny(**settings: Any) -> StreamerConfig:
    """A model of vectors of 8 numbers; `learning` may be a dictionary."""
    learning = settings.pop("learning", {})
    defaults: dict[str, Any] = {
        "modality": "vectors",
        "feature_dim": 8,
        "working_set_size": 4,
        "evolve_every": 10,
        "learning": LearningConfig(**{"lr": 1e-2, "optimize_every": 3, **learning}),
    }
    return StreamerConfig(**{**defaults, **settings})


def vectors(n: int, seed: int = 0, dim: int = 8) -> Tensor:
    """A stream with nested structure, `[n, dim]`, float64."""
    return fill.vectors(n, dim, seed) if n else torch.zeros(0, dim, dtype=torch.float64)


def watch(model: Model[Signal], stream: Iterable[Tensor]) -> tuple[Hierarchy, list[Signal]]:
    """Shows the model one video."""
    signals = [signal for x in stream for signal in model.observe(x)]
    return model.end_video(), signals


def same(one: Hierarchy, other: Hierarchy) -> bool:
    """Whether two hierarchies are equal to the bit."""
    return one.to_arrow().equals(other.to_arrow(), check_metadata=True)


def parameters(model: Model[Any]) -> list[Tensor]:
    """Copies of all parameters."""
    return [parameter.detach().clone() for parameter in model.levels.parameters()]


def with_demarcation(config: StreamerConfig, **settings: Any) -> StreamerConfig:
    """The same model with another rule."""
    return dataclasses.replace(config, demarcation=DemarcationConfig(**settings))
