"""The `compare` command: runs side by side, as a table, as files and in MLflow."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from pipelines.comparison.columns import shared_scores
from pipelines.comparison.config import CompareConfig
from pipelines.comparison.files import make_folder, write_comparison
from pipelines.comparison.page import comparison_page
from pipelines.comparison.runs import open_runs
from pipelines.comparison.settings import differing_inputs, differing_settings
from pipelines.comparison.statistics import compare_columns
from pipelines.comparison.tables import render_comparison, render_settings
from pipelines.comparison.tracked import open_parent, track_columns
from pipelines.run_folder import RunFolder
from pipelines.tracking import ended, prepare_store


def compare(config: CompareConfig, console: Console) -> int:
    """Compares, prints, writes `comparison.parquet` and `comparison.md`, and records runs of MLflow.

    Raises:
        StreamerError: a run, the annotations, a metric or the tracking store cannot be used; nothing has been
            written then.
    """
    out = Path(config.out).absolute()
    with TemporaryDirectory() as scratch, ThreadPoolExecutor(1) as pool:
        # A fresh SQLite store takes seconds to make; the scores are read meanwhile.
        preparing = pool.submit(prepare_store, RunFolder(out), config.tracking_uri, Path(scratch))
        runs = open_runs(
            config.runs, truth=config.truth, reference=config.reference, seed=config.seed, console=console
        )
        shared = shared_scores(runs)
        figures = compare_columns(shared, config.metrics, seed=config.seed)
        differences, inputs = differing_settings(runs), differing_inputs(runs)
        page = comparison_page(figures, shared, runs, differences, inputs)
        database = preparing.result()
        make_folder(out)
        parent = open_parent(config, runs, page, database)
    with ended(parent):
        files = write_comparison(figures, page, out)
        console.print(render_comparison(figures, shared, console.width))
        console.print(render_settings(differences, [run.label for run in runs]))
        _tell(console, [*shared.remarks, *inputs])
        for path in files:
            parent.log_artifact(path)
        _tell(console, track_columns(config, parent, shared, figures))
    places = {"page": files[1], "values": files[0], "MLflow": parent.directions}
    _tell(console, [f"{name:8s} {place}" for name, place in places.items()])
    return 0


def _tell(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)
