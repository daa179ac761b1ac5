"""Configuration of the `baseline` command."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from streamer.config import DemarcationConfig, Distance, require
from streamer.sources import Decoder

PredictorName = Literal[
    "fixed_period",
    "uniform",
    "dyadic_grid",
    "random_nested",
    "novelty",
    "change_points",
    "clustering",
    "scenes",
]
Detector = Literal["adaptive", "content"]

BLIND = ("fixed_period", "uniform", "dyadic_grid", "random_nested")
"""Predictors that know the duration of a video, and no more of it."""

LENGTHS = (4.0, 16.0, 64.0)
SHORTEST_S = 0.01  # of a period: shorter than any frame
OWN_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "fixed_period": {"period": 2.0},
        "uniform": {"truth_level": None},
        "dyadic_grid": {},
        "random_nested": {"seed": 0},
        "novelty": {"levels": 3, "distance": "similarity", "demarcation": DemarcationConfig()},
        "change_points": {"lengths": LENGTHS},
        "clustering": {"lengths": LENGTHS},
        "scenes": {"lengths": LENGTHS, "detector": "adaptive"},
    }
)
"""Options that only some predictors take, with what is taken where they are not given."""


@dataclass
class BaselineConfig:
    """Cuts videos into hierarchies of events without learning, to compare with.

    Attributes:
        name: fixed_period, uniform, dyadic_grid and random_nested know durations alone; novelty cuts where
            features of consecutive snippets differ, by the model's own rule; change_points finds kernel
            change points; clustering merges neighbours bottom-up (Ward); scenes is PySceneDetect.
        inputs: videos, folders, quoted globs, manifests (.csv or .parquet with video_id,uri), http(s)
            addresses, or .npy arrays of features [snippets, dimensions]. Those that know durations alone also
            take tables of them (.csv or .parquet with video_id and duration_s or duration, and perhaps fps).
        out: folder of the run. The same command goes on with what is missing there.
        fresh: start over; removes what an earlier run left in out.
        workers: processes, each of which takes one video at a time.
        truth: annotations: video_id,level,start_s,end_s,label as .csv or .parquet, or the files of a dataset
            (docs/datasets.md). By default truth.csv or truth.parquet in an input folder, where there is one.
            uniform needs it named.
        truth_level: for uniform, the level of annotation whose number of events it is told; needed where
            there are several.
        period: for fixed_period, seconds per event; by default 2.
        seed: for random_nested, determines the cuts; by default 0.
        levels: for novelty, most levels; by default 3.
        distance: for novelty, what is measured between consecutive features, similarity (cosine) or distance
            (mean squared difference); by default similarity.
        demarcation: for novelty, when an event ends.
        lengths: for change_points, clustering and scenes, wanted mean length of events in seconds, a level
            each, ascending; by default [4, 16, 64]. scenes has its cuts below these.
        detector: for scenes, PySceneDetect's detector; by default adaptive.
        snippet_size: seconds per snippet, or per row of features.
        decoder: library that decodes video.
        decode_timeout_s: seconds without a snippet after which a decoder is ended; its video is tried once
            more from there, and fails then.
        cache: folder of decoded snippets, which later runs read instead of decoding again.
        max_failed: exit with 1 when more videos failed.
        tracking_uri: MLflow store or server; by default MLFLOW_TRACKING_URI, or else a SQLite file in out.
        experiment: MLflow experiment.
    """

    name: PredictorName
    inputs: list[str]
    out: str
    fresh: bool = False
    workers: int = 1
    truth: str | None = None
    truth_level: str | None = None
    period: float | None = None
    seed: int | None = None
    levels: int | None = None
    distance: Distance | None = None
    demarcation: DemarcationConfig = field(default_factory=DemarcationConfig)
    lengths: list[float] | None = None
    detector: Detector | None = None
    snippet_size: float = 0.5
    decoder: Decoder = "pyav"
    decode_timeout_s: float = 120.0
    cache: str | None = None
    max_failed: int = 0
    tracking_uri: str | None = None
    experiment: str = "streamer"

    def __post_init__(self) -> None:
        require(len(self.inputs) > 0, "no input: name videos, folders, globs, manifests or addresses")
        require(self.out != "", "--out is empty: name the folder of the run")
        require(self.max_failed >= 0, f"--max_failed must not be negative, not {self.max_failed}")
        require(self.workers >= 1, f"--workers must be at least 1, not {self.workers}")
        require(
            self.decode_timeout_s > 0, f"--decode_timeout_s must be positive, not {self.decode_timeout_s}"
        )
        require(0 < self.snippet_size < math.inf, f"--snippet_size must be positive, not {self.snippet_size}")
        self._check_own_options()
        require(
            self.name != "uniform" or self.truth is not None,
            "uniform is told the true number of events: name the annotations with --truth",
        )
        self._check_values()

    @property
    def blind(self) -> bool:
        """Whether the predictor knows durations alone."""
        return self.name in BLIND

    def settings(self) -> dict[str, Any]:
        """As plain values, without the options of other predictors."""
        own = OWN_OPTIONS[self.name]
        foreign = {option for options in OWN_OPTIONS.values() for option in options if option not in own}
        return {name: value for name, value in asdict(self).items() if name not in foreign}

    def _check_own_options(self) -> None:
        """Refuses options of other predictors, and fills in those of the own one."""
        own = OWN_OPTIONS[self.name]
        for options in OWN_OPTIONS.values():
            for option in options:
                given = getattr(self, option) not in (None, DemarcationConfig())
                takers = [name for name, theirs in OWN_OPTIONS.items() if option in theirs]
                require(
                    option in own or not given,
                    f"--{option} has no effect with {self.name}: leave it away; "
                    f"it is for {' and '.join(takers)}",
                )
        for option, default in own.items():
            if getattr(self, option) is None:
                setattr(self, option, list(default) if isinstance(default, tuple) else default)

    def _check_values(self) -> None:
        require(
            self.period is None or SHORTEST_S <= self.period < math.inf,
            f"--period must be a number of seconds from {SHORTEST_S} up, not {self.period}",
        )
        require(self.seed is None or self.seed >= 0, f"--seed must not be negative, not {self.seed}")
        require(
            self.levels is None or 1 <= self.levels <= 127, f"--levels must be from 1 to 127: {self.levels}"
        )
        require(
            self.demarcation.mode != "accumulate" or self.distance == "distance",
            "--demarcation.mode accumulate sums errors: add --distance distance",
        )
        if self.lengths is not None:
            ascending = all(a < b for a, b in zip([0.0, *self.lengths], self.lengths, strict=False))
            require(
                0 < len(self.lengths) <= 126 and ascending and math.isfinite(self.lengths[-1]),
                f"--lengths must be positive seconds in ascending order, as in [4,16,64], not {self.lengths}",
            )
