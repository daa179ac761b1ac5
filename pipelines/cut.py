"""The `cut` command: levels at other timescales, from the trees of a run, in the files of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from pipelines.annotations import Truth, read_truth
from pipelines.catalog import CatalogEntry
from pipelines.catalog_table import read_catalog
from pipelines.closing import conclude, failing
from pipelines.cut_config import CutConfig
from pipelines.folder_lock import FolderLock
from pipelines.opening import open_run
from pipelines.preparation import Inputs
from pipelines.report.runs import Run, read_runs, truth_of
from pipelines.resumption import absolute_path, claim, tell_finished
from pipelines.run_folder import RunFolder, RunFolderError, VideoRow, unread_row
from pipelines.store import REASON, HierarchyStore
from pipelines.tracking import prepare_store
from pipelines.wording import counted
from streamer.errors import ConfigError, HierarchyError
from streamer.hierarchy import Hierarchy
from streamer.merged_levels import merged_level
from streamer.timescales import format_timescale
from streamer.tree_table import read_tree

PREDICTOR = "cut"


def cut(config: CutConfig, console: Console) -> int:
    """Cuts the trees of all finished videos of a run.

    Returns:
        Exit code, as for `segment`.

    Raises:
        StreamerError: what the user gave cannot be used; nothing has been written then.
    """
    source, folder = RunFolder(config.run), RunFolder(config.out)
    if folder.root.resolve() == source.root.resolve():
        raise ConfigError(f"--out {config.out} is the run that is cut: choose another folder")
    run = _run_with_trees(source)
    config = replace(config, run=str(source.root), truth=absolute_path(config.truth))
    inputs = Inputs(*_entries(source), _truth(config, run))
    settings = {**config.settings(), "inputs": list(run.config.get("inputs", []))}
    with FolderLock(folder.root) as lock:
        earlier = claim(folder, lock, "cut", settings, fresh=config.fresh)
        stamp = _stamp(source)
        if earlier is not None and earlier["state"] == "finished" and earlier.get("source") == stamp:
            return tell_finished(earlier, folder, config.max_failed, console)
        with TemporaryDirectory() as scratch:
            database = prepare_store(folder, config.tracking_uri, Path(scratch))
            tracker, facts = open_run(
                "cut",
                settings,
                folder,
                inputs,
                predictor=PREDICTOR,
                database=database,
                earlier=earlier,
                lock=lock,
                console=console,
            )
        metadata = {"streamer.config": json.dumps(settings), "streamer.model": PREDICTOR}
        cutting = Cutting(run, HierarchyStore(folder, metadata, signals=False), config.timescales)
        with failing(folder, facts, lambda: cutting.rows, tracker):
            for entry in inputs.entries:
                cutting.take(entry)
        cutting.tell(console)
        return conclude(
            "finished",
            folder=folder,
            facts={**facts, "totals": cutting.totals, "source": stamp},
            rows=cutting.rows,
            truth=inputs.truth,
            seed=0,
            max_failed=config.max_failed,
            tracker=tracker,
            console=console,
        )


class Cutting:
    """Goes through the videos of a run.

    Args:
        run: the run.
        store: takes the new hierarchies.
        timescales: wanted mean lengths in seconds, a level each.

    Attributes:
        rows: of the videos that were taken.
    """

    def __init__(self, run: Run, store: HierarchyStore, timescales: Sequence[float]) -> None:
        self.rows: list[VideoRow] = []
        self._run = run
        self._store = store
        self._timescales = timescales
        self._events = [0] * len(timescales)
        self._seconds = 0.0
        self._snippets = 0

    @property
    def totals(self) -> dict[str, object]:
        """What `run.json` tells of the results."""
        return {"snippets": self._snippets, "events": self._events, "levels": len(self._timescales)}

    def take(self, entry: CatalogEntry) -> None:
        """Cuts a video of which there is a hierarchy; the others stay what they are in the run."""
        source = self._run.folder
        if not source.hierarchy_of(entry.video_id).exists():
            self._store.discard(entry.video_id)
            self.rows.append(self._unfinished(entry))
            return
        try:
            hierarchy = self._cut(Hierarchy.from_parquet(source.hierarchy_of(entry.video_id)))
        except HierarchyError as error:
            self._store.discard(entry.video_id)
            self.rows.append(VideoRow(entry, "failed", str(error), entry.duration_s, 0))
            return
        reason = hierarchy.metadata.get(REASON)
        self._store.write(replace(hierarchy, metadata={}), (), reason)
        self.rows.append(VideoRow(entry, "done", reason, hierarchy.duration_s, hierarchy.snippets))
        self._events = [
            count + len(level) for count, level in zip(self._events, hierarchy.levels, strict=True)
        ]
        self._seconds += hierarchy.duration_s
        self._snippets += hierarchy.snippets

    def tell(self, console: Console) -> None:
        """Tells how long events have become."""
        for wanted, events in zip(self._timescales, self._events, strict=True):
            if events:
                console.print(
                    f"{format_timescale(wanted):>6s} asked for: {counted(events, 'event')}, "
                    f"{self._seconds / events:.1f} s in the mean",
                    highlight=False,
                )

    def _cut(self, hierarchy: Hierarchy) -> Hierarchy:
        tree = read_tree(self._run.folder.tree_of(hierarchy.video_id), hierarchy)
        counts = tree.natural_counts(tree.events_of(seconds) for seconds in self._timescales)
        return replace(hierarchy, levels=[merged_level(hierarchy, tree, count) for count in counts])

    def _unfinished(self, entry: CatalogEntry) -> VideoRow:
        known = self._run.rows.get(entry.video_id)
        if known is None or known["status"] == "done":
            return unread_row(entry, f"had no hierarchy in {self._run.folder.root}")
        return VideoRow(entry, known["status"], known["reason"], known["duration_s"], known["snippets"])


def _run_with_trees(source: RunFolder) -> Run:
    """The run that is to be cut, which may not have finished.

    Raises:
        RunFolderError: there is no run, or none whose upper levels were merged.
    """
    facts = source.read_run()
    if facts.get("command") == "cut":
        origin = facts.get("config", {}).get("run")
        raise RunFolderError(f"{source.root}: was itself cut, and holds no trees: cut {origin}")
    if not source.trees.is_dir():
        raise RunFolderError(
            f"{source.root}: holds no trees, which runs with model.upper_levels `merged` have: segment the "
            "videos with such a model"
        )
    if source.videos.exists():
        [run] = read_runs([str(source.root)])
        return run
    return Run(source.root.name, source, facts, {})


def _stamp(source: RunFolder) -> dict[str, Any]:
    """What changes as a run goes on, or is made anew: such a run is cut again by the same command."""
    facts = source.read_run()
    times = {name: facts.get(name) for name in ("started", "ended")}
    return {**times, "hierarchies": len(list(source.hierarchy.glob("*.parquet")))}


def _entries(source: RunFolder) -> tuple[list[CatalogEntry], list[CatalogEntry]]:
    """All inputs of a run, and those that could be opened."""
    entries = read_catalog(source.catalog)
    return entries, [entry for entry in entries if entry.status == "ready"]


def _truth(config: CutConfig, run: Run) -> Truth | None:
    """The annotations to score against, if there are any."""
    path = config.truth or truth_of(run)
    if path is None:
        return None
    return read_truth(path).for_videos([entry.video_id for entry in read_catalog(run.folder.catalog)])
