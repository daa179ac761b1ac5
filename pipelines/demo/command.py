"""The `demo` command: renders a corpus with known events, trains on it, scores the result and shows it."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from pipelines.config import DemoConfig, TrainConfig
from pipelines.demo.corpus import render_corpus
from pipelines.report.command import report
from pipelines.report.config import ReportConfig
from pipelines.run_folder import RunFolder, RunFolderError
from pipelines.train import train


def demo(config: DemoConfig, console: Console) -> int:
    """Runs the whole way once, on videos that are made on the spot.

    Returns:
        Exit code, as for `train`.

    Raises:
        StreamerError: the output folder cannot be used.
    """
    out = Path(config.out).absolute()
    run = RunFolder(out / "run")
    _remove_earlier(run)
    corpus = out / "corpus"
    console.print(f"rendering videos with known events into {corpus}", highlight=False, soft_wrap=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("rendering", total=None)
        render_corpus(
            corpus,
            seed=config.seed,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    code = train(
        TrainConfig(
            inputs=[str(corpus / "videos")],
            out=str(run.root),
            truth=str(corpus / "truth.csv"),
            workers=config.workers,
            seed=config.seed,
        ),
        console,
    )
    if code == 0:
        report(ReportConfig([str(run.root)]), console)
    return code


def _remove_earlier(run: RunFolder) -> None:
    """Removes the run of an earlier demo, and nothing else."""
    if not run.root.exists():
        return
    inputs = run.read_run()["config"].get("inputs", [])
    if inputs != [str(run.root.parent / "corpus" / "videos")]:
        raise RunFolderError(f"{run.root}: holds a run that is no demo: choose another --out")
    shutil.rmtree(run.root)
