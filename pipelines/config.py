"""Configuration of the commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pipelines.recipes import DEFAULT, Recipe, adaptive_model
from streamer.config import Precision, StreamerConfig, require
from streamer.sources import Decoder
from streamer.timescales import parse_timescales


@dataclass
class TrainConfig:
    """Learns from videos while they stream by, and writes a hierarchy of events for each.

    Attributes:
        inputs: videos, folders, quoted globs, manifests (.csv or .parquet with video_id,uri), http(s)
            addresses, or .npy arrays of features [snippets, feature_dim].
        out: folder of the run. The same command goes on with a run that was stopped there.
        recipe: the model to start from, of which the options of model change what they name: adaptive = good
            events from the first minute on, release = the published model exactly.
        timescales: how long events shall be on average, one length of time per level, as in 2s,10s,60s; sets
            model.timescales and model.max_levels. By default events are as long as the signal makes them.
        fresh: start over; removes what an earlier run left in out.
        workers: training workers; each video goes to one of them from start to end.
        lanes: videos that each worker watches at the same time.
        truth: annotations: video_id,level,start_s,end_s,label as .csv or .parquet, or the files of a dataset
            (docs/datasets.md). By default truth.csv or truth.parquet in an input folder, where there is one.
        seed: determines initial parameters.
        init: checkpoint, or folder of a run, whose parameters to start from.
        sync: gradients = workers learn one model, all take the same steps; parameters = every worker
            optimises alone and parameters are averaged, as in the published release.
        sync_every: snippets per lane from one barrier to the next. 1 is exact; more waits less.
        checkpoint_every_s: seconds of work that may be lost when a process is killed; a checkpoint is taken
            at the next barrier then, or sooner where one is cheap.
        device: where the model computes; auto takes CUDA where every worker can have a GPU.
        precision: numbers that the model computes with; bf16 keeps its parameters and sums in float32.
        decoder: library that decodes video.
        decoders: processes that decode ahead for each lane; more than one share long videos.
        decode_timeout_s: seconds without a snippet after which a decoder is ended; its video is tried once
            more from there, and fails then.
        cache: folder of decoded snippets, which later runs read instead of decoding again.
        signals: store every level's signal beside the hierarchies.
        max_failed: exit with 1 when more videos failed.
        tracking_uri: MLflow store or server; by default MLFLOW_TRACKING_URI, or else a SQLite file in out.
        experiment: MLflow experiment.
        model: what the model is.
    """

    inputs: list[str]
    out: str
    recipe: Recipe = DEFAULT
    timescales: str | None = None
    fresh: bool = False
    workers: int = 1
    lanes: int = 1
    truth: str | None = None
    seed: int = 0
    init: str | None = None
    sync: Literal["gradients", "parameters"] = "gradients"
    sync_every: int = 1
    checkpoint_every_s: float = 120.0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "float32"
    decoder: Decoder = "pyav"
    decoders: int = 1
    decode_timeout_s: float = 120.0
    cache: str | None = None
    signals: bool = True
    max_failed: int = 0
    tracking_uri: str | None = None
    experiment: str = "streamer"
    model: StreamerConfig = field(default_factory=adaptive_model)

    def __post_init__(self) -> None:
        _check_run(self)
        if self.timescales is not None:
            asked = parse_timescales([self.timescales], "--timescales")
            require(
                asked == self.model.timescales,
                "--timescales sets model.timescales and model.max_levels: give either it or these",
            )
        require(
            self.checkpoint_every_s >= 0,
            f"--checkpoint_every_s must not be negative, not {self.checkpoint_every_s}",
        )
        require(self.sync_every >= 1, f"--sync_every must be at least 1, not {self.sync_every}")
        require(
            not (self.sync == "parameters" and self.workers == 1),
            "--sync parameters averages over workers and has no effect with one: use --workers 2 or more",
        )


@dataclass
class SegmentConfig:
    """Cuts videos into hierarchies of events with a model that has learned.

    Attributes:
        inputs: videos, folders, quoted globs, manifests (.csv or .parquet with video_id,uri), http(s)
            addresses, or .npy arrays of features [snippets, feature_dim].
        out: folder of the run. The same command goes on with what is missing there.
        model: checkpoint of this project, folder of a run, or checkpoint of the published release.
        timescales: how long events shall be on average, one length of time per level, as in 2s,10s,60s,
            instead of those that the model was trained with. The number of levels follows, where upper levels
            are merged.
        fresh: start over; removes what an earlier run left in out.
        workers: processes that segment, each with the model.
        lanes: videos that each worker watches at the same time, in common batches. The last bits of signals
            depend on what shares a batch, so that a boundary whose signal meets its threshold to seven
            digits may come or go; 1 gives the same to the bit every time.
        cpus_per_worker: CPUs that each worker holds, beside those of its decoders.
        gpus_per_worker: GPUs that each worker holds; fractions share one. By default 1 where the model
            computes on CUDA, else 0.
        adaptive: let the model learn while it watches a video; for each it starts from the checkpoint.
        truth: annotations: video_id,level,start_s,end_s,label as .csv or .parquet, or the files of a dataset
            (docs/datasets.md). By default truth.csv or truth.parquet in an input folder, where there is one.
        device: where the model computes.
        precision: numbers that the model computes with; by default those that it learned with.
        decoder: library that decodes video.
        decoders: processes that decode ahead for each lane; more than one share long videos.
        decode_timeout_s: seconds without a snippet after which a decoder is ended; its video is tried once
            more from there, and fails then.
        cache: folder of decoded snippets, which later runs read instead of decoding again.
        signals: store every level's signal beside the hierarchies.
        max_failed: exit with 1 when more videos failed.
        tracking_uri: MLflow store or server; by default MLFLOW_TRACKING_URI, or else a SQLite file in out.
        experiment: MLflow experiment.
    """

    inputs: list[str]
    out: str
    model: str
    timescales: str | None = None
    fresh: bool = False
    workers: int = 1
    lanes: int = 1
    cpus_per_worker: float = 1.0
    gpus_per_worker: float | None = None
    adaptive: bool = False
    truth: str | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision | None = None
    decoder: Decoder = "pyav"
    decoders: int = 1
    decode_timeout_s: float = 120.0
    cache: str | None = None
    signals: bool = True
    max_failed: int = 0
    tracking_uri: str | None = None
    experiment: str = "streamer"

    @property
    def asked_timescales(self) -> tuple[float, ...] | None:
        """Seconds of `timescales`.

        Raises:
            ConfigError: they are no lengths of time.
        """
        return None if self.timescales is None else parse_timescales([self.timescales], "--timescales")

    def __post_init__(self) -> None:
        _check_run(self)
        _ = self.asked_timescales  # refused before anything is looked at
        require(self.cpus_per_worker >= 0, f"--cpus_per_worker must not be negative: {self.cpus_per_worker}")
        require(
            self.gpus_per_worker is None or self.gpus_per_worker >= 0,
            f"--gpus_per_worker must not be negative: {self.gpus_per_worker}",
        )
        require(
            not (self.device == "cpu" and self.gpus_per_worker),
            "--gpus_per_worker has no effect with --device cpu: leave one of them away",
        )


def _check_run(config: TrainConfig | SegmentConfig) -> None:
    """Checks what every command that makes a run takes."""
    require(len(config.inputs) > 0, "no input: name videos, folders, globs, manifests or addresses")
    require(config.out != "", "--out is empty: name the folder of the run")
    require(config.max_failed >= 0, f"--max_failed must not be negative, not {config.max_failed}")
    require(config.workers >= 1, f"--workers must be at least 1, not {config.workers}")
    require(config.lanes >= 1, f"--lanes must be at least 1, not {config.lanes}")
    require(config.decoders >= 1, f"--decoders must be at least 1, not {config.decoders}")
    require(
        config.decode_timeout_s > 0, f"--decode_timeout_s must be positive, not {config.decode_timeout_s}"
    )


@dataclass
class EvaluateConfig:
    """Scores the hierarchies of a run against annotations, beside blind floors.

    Attributes:
        run: folder of the run.
        truth: annotations: video_id,level,start_s,end_s,label as .csv or .parquet, or the files of a dataset
            (docs/datasets.md).
        seed: determines the random floor, and where representations are compared, clusters and draws.
        tracking_uri: MLflow store or server; by default MLFLOW_TRACKING_URI, or else a SQLite file in run.
        experiment: MLflow experiment.
    """

    run: str
    truth: str
    seed: int = 0
    tracking_uri: str | None = None
    experiment: str = "streamer"


@dataclass
class DemoConfig:
    """Renders a small corpus of videos with known events, trains on it, scores the result and shows it.

    Attributes:
        out: folder for the corpus and the run; an earlier demo in it is replaced.
        seed: determines the corpus and the initial parameters.
        workers: training workers.
    """

    out: str = "runs/demo"
    seed: int = 0
    workers: int = 2

    def __post_init__(self) -> None:
        require(self.workers >= 1, f"--workers must be at least 1, not {self.workers}")


@dataclass
class DoctorConfig:
    """Checks that decoders, Ray, disk and tracking work here, or on every node of a cluster.

    Attributes:
        out: folder where runs will be written.
        cluster: check every node of the cluster that RAY_ADDRESS names, or in which this job runs.
        workers: that a run will have; with cluster.
        lanes: videos that each worker will watch at the same time; with cluster.
        device: where the model will compute; with cluster.
    """

    out: str = "."
    cluster: bool = False
    workers: int | None = None
    lanes: int | None = None
    device: Literal["auto", "cpu", "cuda"] | None = None

    def __post_init__(self) -> None:
        asked = {"--workers": self.workers, "--lanes": self.lanes, "--device": self.device}
        for name, value in asked.items():
            require(self.cluster or value is None, f"{name} asks something of a cluster: add --cluster")
        require(self.workers is None or self.workers >= 1, f"--workers must be at least 1: {self.workers}")
        require(self.lanes is None or self.lanes >= 1, f"--lanes must be at least 1: {self.lanes}")
