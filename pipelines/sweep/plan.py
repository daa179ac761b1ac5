"""What the file of a sweep asks for: its trials, in an order and under names that follow from it alone."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from pipelines.config import TrainConfig
from pipelines.run_folder import RunFolder
from pipelines.sweep.config import SweepFile
from pipelines.sweep.options import (
    TRAIN_OPTIONS,
    flat_options,
    located,
    option_types,
    train_config,
)
from pipelines.sweep.space import (
    Choices,
    Range,
    Settings,
    Space,
    grid,
    options_of,
    parse_space,
    random_settings,
)
from streamer.config import require
from streamer.errors import StreamerError

MAX_TRIALS = 9999
LONGEST_NAME = 120  # characters of what a trial's name tells of its settings
TRIALS = "trials"
OWN = ("out", "fresh")
"""Options of a training that are the sweep's to set."""


class SweepError(StreamerError):
    """A sweep that cannot be done as its file asks for."""


@dataclass(frozen=True)
class Trial:
    """One training of a sweep.

    Attributes:
        number: its place in the sweep, from 1.
        name: tells its number and its settings; names its folder too.
        settings: value of every searched option, by dotted name.
        options: of the training, those of all trials included, by dotted name.
        config: the same as the training's configuration.
    """

    number: int
    name: str
    settings: Settings
    options: Mapping[str, Any]
    config: TrainConfig

    @property
    def folder(self) -> RunFolder:
        """Its run."""
        return RunFolder(self.config.out)


@dataclass(frozen=True)
class Plan:
    """A sweep as its file asks for it.

    Attributes:
        path: the file.
        file: its content.
        options: of all trials, by dotted name, with absolute paths.
        space: what is searched.
        trials: all that the sweep does.
    """

    path: str
    file: SweepFile
    options: Mapping[str, Any]
    space: Space
    trials: Sequence[Trial]


def read_plan(path: str) -> Plan:
    """Reads the file of a sweep.

    Raises:
        StreamerError: it cannot be read, or holds something that cannot be done; the error names the key.
    """
    content = _read_yaml(path)
    with naming(path):
        values = flat_options(content, option_types(SweepFile))
        missing = [name for name in ("out", "train", "space", "metric") if name not in values]
        require(not missing, f"{', '.join(missing)} must be given: see docs/sweeps.md")
        file = SweepFile(**values)
        options = flat_options(file.train, TRAIN_OPTIONS, "train.")
        for name in OWN:
            require(name not in options, f"train.{name} is the sweep's to set: remove it")
        require("inputs" in options, "train.inputs must be given: a list of videos or folders")
        space = parse_space(file.space, options)
        settings = _settings(file, space)
        options = located(options)
        return Plan(path, file, options, space, list(_trials(file, options, settings, list(space))))


def _read_yaml(path: str) -> Mapping[Any, Any]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SweepError(f"{path}: cannot be read ({error.strerror}): name a YAML file") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SweepError(f"{path}: is not YAML ({' '.join(str(error).split())}): correct it") from error
    if not isinstance(content, Mapping):
        raise SweepError(f"{path}: holds no sweep: see docs/sweeps.md")
    return content


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Puts a place before what is wrong there."""
    try:
        yield
    except StreamerError as error:
        raise SweepError(f"{place}: {error}") from error


def _settings(file: SweepFile, space: Space) -> Iterator[Settings]:
    if file.search == "random":
        assert file.samples is not None, "checked by SweepFile"
        number: float = file.samples
        settings = random_settings(space, file.samples, file.seed or 0)
    else:
        settings = grid(space)
        number = math.prod(domain.size for domain in space.values())
    require(number <= MAX_TRIALS, f"asks for {number:g} trials: a sweep has {MAX_TRIALS} at most")
    return settings


def _trials(
    file: SweepFile, options: Mapping[str, Any], settings: Iterator[Settings], searched: Sequence[str]
) -> Iterator[Trial]:
    words = short_names(searched)
    out = Path(file.out).absolute() / TRIALS
    for number, setting in enumerate(settings, 1):
        told = describe_settings(setting, words)
        name = trial_name(number, told)
        with naming(f"trial {number} ({told})"):
            own = located({**options, **options_of(setting)})
            yield Trial(number, name, setting, own, train_config(own, out / name))


def trial_name(number: int, told: str) -> str:
    """A name that serves as one of a folder too: `0003-lr=0.001,modifier=1.05`."""
    tail = quote(told, safe="=,+")[:LONGEST_NAME]
    return f"{number:04d}-{re.sub('%[0-9A-F]?$', '', tail)}"


def short_names(options: Sequence[str]) -> dict[str, str]:
    """The last words of dotted names, as many as tell them apart."""
    short = {}
    for option in options:
        words = option.split(".")
        tails = (".".join(words[-count:]) for count in range(1, len(words) + 1))
        others = [f".{other}" for other in options if other != option]
        alone = (tail for tail in tails if not any(other.endswith(f".{tail}") for other in others))
        short[option] = next(alone, option)
    return short


def describe_settings(settings: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """`lr=0.001,modifier=1.05`."""
    return ",".join(f"{words[name]}={describe_value(value)}" for name, value in settings.items())


def describe_domain(domain: Choices | Range) -> str:
    """What is tried for an option: `0.001 or 0.01`, `uniform from 0.8 to 1.2`."""
    if isinstance(domain, Choices):
        return " or ".join(map(describe_value, domain.values))
    return f"{domain.distribution} from {describe_value(domain.low)} to {describe_value(domain.high)}"


def describe_value(value: Any) -> str:
    """A value in a few characters."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):  # a group's choice
        return "+".join(map(describe_value, value.values())) or "default"
    if isinstance(value, (tuple, list)):
        return "-".join(describe_value(item) for item in value)
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    return str(value)
