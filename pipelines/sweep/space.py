"""The space of a search: what is tried for each option, and which settings follow from that."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from pipelines.sweep.options import (
    TRAIN_OPTIONS,
    convert,
    describe,
    flat_options,
    is_number,
)
from streamer.config import ConfigError, nearest, require

Settings = dict[str, Any]
"""One value for every searched option, by its dotted name, in the order of the file."""

Distribution = Literal["uniform", "loguniform", "randint"]
DISTRIBUTIONS: tuple[Distribution, ...] = get_args(Distribution)
NOT_SEARCHED = ("inputs", "out", "fresh", "truth", "max_failed", "tracking_uri", "experiment")
DIGITS = 6  # significant ones of a number that is drawn, so that tables and names can show it
REDRAWS = 200_000  # in a row of settings that were drawn before


@dataclass(frozen=True)
class Choices:
    """Values of which each is tried.

    Attributes:
        values: they, all different.
    """

    values: tuple[Any, ...]

    @property
    def size(self) -> float:
        """How many different values there are."""
        return len(self.values)

    def draw(self, random: np.random.Generator) -> Any:
        """One of them, all equally likely."""
        return self.values[random.integers(len(self.values))]


@dataclass(frozen=True)
class Range:
    """Numbers between two ends.

    Attributes:
        distribution: how they are drawn: evenly, evenly in their logarithm, or evenly as whole numbers.
        low: the smallest.
        high: the greatest.
    """

    distribution: Distribution
    low: float
    high: float

    @property
    def size(self) -> float:
        """How many different values there are."""
        return self.high - self.low + 1 if self.distribution == "randint" else math.inf

    def draw(self, random: np.random.Generator) -> float:
        """One of them."""
        if self.distribution == "randint":
            return int(random.integers(int(self.low), int(self.high), endpoint=True))
        if self.distribution == "loguniform":
            drawn = math.exp(random.uniform(math.log(self.low), math.log(self.high)))
        else:
            drawn = random.uniform(self.low, self.high)
        return min(max(float(f"{drawn:.{DIGITS}g}"), self.low), self.high)


Space = Mapping[str, Choices | Range]


def parse_space(values: Mapping[Any, Any], given: Mapping[str, Any]) -> dict[str, Choices | Range]:
    """What a file says about its space.

    Args:
        values: as YAML gives them.
        given: options that are the same in all trials, by dotted names.

    Raises:
        ConfigError: an unknown option, one that cannot be searched, or values that it does not take.
    """
    space: dict[str, Choices | Range] = {}
    for key, value in values.items():
        require(key in TRAIN_OPTIONS, f"unknown key space.{key}{nearest(str(key), list(TRAIN_OPTIONS))}")
        require(key not in NOT_SEARCHED, f"space.{key} cannot be searched: all trials must have the same")
        fixed = [name for name in given if _overlap(name, key)]
        require(
            not fixed, f"space.{key} is searched, so train.{(fixed or [''])[0]} has no effect: remove one"
        )
        both = [name for name in space if _overlap(name, key)]
        require(not both, f"space.{key} and space.{(both or [''])[0]} set the same option: remove one")
        space[key] = _domain(key, value)
    return space


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _domain(name: str, value: Any) -> Choices | Range:
    if isinstance(value, list):
        require(len(value) > 0, f"space.{name} has no choice: name at least one value")
        values = [_choice(name, choice) for choice in value]
        for place, choice in enumerate(values):
            require(choice not in values[:place], f"space.{name} has {choice!r} twice: remove one")
        return Choices(tuple(values))
    require(
        isinstance(value, Mapping) and len(value) == 1,
        f"space.{name} must be a list of choices, or one of {', '.join(DISTRIBUTIONS)} with its ends, "
        f"not {value!r}",
    )
    [(distribution, ends)] = value.items()
    near = nearest(str(distribution), list(DISTRIBUTIONS))
    require(distribution in DISTRIBUTIONS, f"unknown key space.{name}.{distribution}{near}")
    return _range(name, distribution, ends)


def _choice(name: str, value: Any) -> Any:
    """A choice as its option takes it; that of a group of options stays a mapping, by dotted names."""
    converted = convert(value, TRAIN_OPTIONS[name], f"space.{name}")
    if dataclasses.is_dataclass(TRAIN_OPTIONS[name]):
        return flat_options(converted, TRAIN_OPTIONS, "space.", f"{name}.")
    return converted


def _range(name: str, distribution: Distribution, ends: Any) -> Range:
    where, kind = f"space.{name}.{distribution}", TRAIN_OPTIONS[name]
    pair = isinstance(ends, list) and len(ends) == 2 and None not in ends
    require(pair, f"{where} must be two numbers, [LOW, HIGH], not {ends!r}")
    if distribution == "randint":
        require(kind is int, f"{where} draws whole numbers, but {name} is {describe(kind)}: use a list")
    else:
        require(is_number(kind), f"{where} draws any numbers, but {name} is {describe(kind)}: use a list")
    low, high = (convert(end, kind, where) for end in ends)
    require(low < high, f"{where} must go from a smaller to a greater number, not from {low} to {high}")
    require(distribution != "loguniform" or low > 0, f"{where} must begin above 0, not at {low}")
    return Range(distribution, low, high)


def options_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a setting sets, by dotted names; what a group's choice leaves out has its default."""
    options: dict[str, Any] = {}
    for name, value in settings.items():
        options |= value if dataclasses.is_dataclass(TRAIN_OPTIONS[name]) else {name: value}
    return options


def grid(space: Space) -> Iterator[Settings]:
    """All combinations of choices; the last option changes first.

    Raises:
        ConfigError: an option has no list of choices.
    """
    lists = []
    for name, domain in space.items():
        if isinstance(domain, Range):
            raise ConfigError(
                f"space.{name}.{domain.distribution} is drawn from: give a list, or use search: random"
            )
        lists.append(domain.values)
    return (dict(zip(space, values, strict=True)) for values in itertools.product(*lists))


def random_settings(space: Space, samples: int, seed: int) -> Iterator[Settings]:
    """Different settings, drawn one after the other: more samples begin as fewer do.

    Raises:
        ConfigError: the space has fewer settings.
    """
    size = math.prod(domain.size for domain in space.values())
    require(
        samples <= size,
        f"samples is {samples}, but the space has only {size:g} settings: ask for fewer, or use search: grid",
    )
    random = np.random.default_rng(seed)
    seen: set[str] = set()
    for _ in range(samples):
        for _ in range(REDRAWS):
            settings = {name: domain.draw(random) for name, domain in space.items()}
            if repr(settings) not in seen:
                break
        else:
            raise ConfigError(f"the space has only {len(seen)} different settings: ask for fewer samples")
        seen.add(repr(settings))
        yield settings
