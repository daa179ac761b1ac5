"""Configuration of the `compare` command."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamer.config import require


@dataclass
class CompareConfig:
    """Holds the scores of runs against each other, video by video, beside the blind floors.

    Attributes:
        runs: folders of two runs or more, made by `train`, `segment` or `baseline`. Their scores are read
            from their evaluation.parquet.
        out: folder for comparison.parquet and comparison.md; those of an earlier comparison are replaced,
            other files stay.
        truth: annotations: video_id,level,start_s,end_s,label as .csv or .parquet, or the files of a dataset
            (docs/datasets.md). All runs are then scored against them now; the scores in their folders are
            neither read nor changed.
        reference: the run among them that the others are held against; by default the first.
        metrics: names of metrics in evaluation.parquet to compare; by default the usual ones.
        seed: determines the random resamples of the intervals; with truth, the random floor too.
        tracking_uri: MLflow store or server; by default MLFLOW_TRACKING_URI, or else a SQLite file in out.
        experiment: MLflow experiment.
    """

    runs: list[str]
    out: str = "runs/comparison"
    truth: str | None = None
    reference: str | None = None
    metrics: list[str] = field(default_factory=list)
    seed: int = 0
    tracking_uri: str | None = None
    experiment: str = "streamer"

    def __post_init__(self) -> None:
        require(len(self.runs) >= 2, "only one run is named: name two or more to compare")
        require(self.out != "", "--out is empty: name the folder of the comparison")
        require(self.seed >= 0, f"--seed must not be negative, not {self.seed}")
        twice = sorted({name for name in self.metrics if self.metrics.count(name) > 1})
        require(not twice, f"--metrics names {', '.join(twice)} more than once: name each once")
