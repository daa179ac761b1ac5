"""A run that goes on: what its folder tells, and whether that is what is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from pipelines.folder_lock import FolderLock
from pipelines.manifest import is_url
from pipelines.options import flatten
from pipelines.run_folder import RunFolder, RunFolderError
from pipelines.wording import counted

SHOWN = 8

# What may differ from one start of a run to the next: where and how it is computed, not what.
FREE = frozenset(
    {
        "out",
        "fresh",
        "truth",
        "workers",
        "lanes",
        "device",
        "cpus_per_worker",
        "gpus_per_worker",
        "checkpoint_every_s",
        "decoders",
        "decode_timeout_s",
        "cache",
        "max_failed",
        "tracking_uri",
        "experiment",
        "model.modality",  # follows from the inputs
    }
)


def claim(
    folder: RunFolder, lock: FolderLock, command: str, settings: Mapping[str, Any], *, fresh: bool
) -> dict[str, Any] | None:
    """Takes hold of the folder of a run that goes on, or is replaced; a free one is left as it is.

    Args:
        folder: the run.
        lock: of the folder; nothing is written there where the run is refused.
        command: `train`, `segment` or `baseline`.
        settings: what is asked for, as plain values, with absolute inputs.
        fresh: whether a run that is there shall be replaced.

    Returns:
        The content of `run.json` of the run that goes on; None where one begins.

    Raises:
        RunFolderError: the folder cannot be used, another process works there, or it holds a run with
            another configuration.
    """

    def look() -> dict[str, Any] | None:
        if not fresh:
            return earlier_run(folder, command, settings)
        folder.check_replaceable()
        return None

    look()
    if folder.run_json.exists():
        lock.hold()
    return look()  # again: now it stays as it is


def earlier_run(folder: RunFolder, command: str, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `run.json` tells of the run that is in a folder, if it is the one that is asked for.

    Args:
        folder: the run.
        command: `train`, `segment` or `baseline`.
        settings: what is asked for, as plain values, with absolute inputs.

    Returns:
        The content of `run.json`; None where the folder is free.

    Raises:
        RunFolderError: the folder cannot be used, or holds a run with another configuration.
    """
    if not folder.run_json.exists():
        folder.check_free()
        return None
    facts = folder.read_run()
    if facts.get("command") != command:
        raise RunFolderError(
            f"{folder.root}: holds a run of `streamer {facts.get('command')}`: choose another --out, or "
            "remove it with --fresh"
        )
    differing = differences(facts.get("config", {}), settings)
    if differing:
        shown = "; ".join(differing[:SHOWN]) + (
            f"; and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        )
        raise RunFolderError(
            f"{folder.root}: holds a run with another configuration: {shown}: give the same values to go on "
            "with it, choose another --out, or start over with --fresh"
        )
    return facts


def differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Settings that contradict those of the run, each as `--name was X, is Y`; new settings do not."""
    before, now = flatten(stored), flatten(asked)
    if before.get("model.modality") == "vectors":  # so the inputs had no frames to make features of
        now.pop("model.features", None)
    return [
        f"{name} was {before[name]!r}, is {now[name]!r}"
        for name in before
        if name in now and name not in FREE and _plain(before[name]) != _plain(now[name])
    ]


def absolute_inputs(inputs: Sequence[str]) -> list[str]:
    """Inputs as they are named in `run.json`, from whatever folder the command is run."""
    return [name if is_url(name) else os.path.abspath(name) for name in inputs]


def absolute_path(path: str | None) -> str | None:
    """A path as it is named in `run.json`; an empty one stays so, for its reader to refuse."""
    return os.path.abspath(path) if path else path


def tell_finished(facts: Mapping[str, Any], folder: RunFolder, max_failed: int, console: Console) -> int:
    """Tells that there is nothing to do; returns the exit code that the run had."""
    counts = facts["videos"]
    parts = ", ".join(f"{count} {status}" for status, count in counts.items())
    console.print(
        f"{folder.root}: this run finished at {facts['ended']}: {parts}; --fresh starts over",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    return 1 if counts["failed"] > max_failed else 0


def tell_resumed(facts: Mapping[str, Any], folder: RunFolder, console: Console) -> None:
    """Tells which run goes on."""
    finished = len(list(folder.hierarchy.glob("*.parquet")))
    console.print(
        f"going on with the run in {folder.root}, begun {facts['started']}: "
        f"{counted(finished, 'video')} done so far",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )


def tell_removed(removed: Mapping[str, int], folder: RunFolder, console: Console) -> None:
    """Tells what `--fresh` removed."""
    if removed:
        parts = ", ".join(
            name if count == 1 else f"{name} ({count} files)" for name, count in removed.items()
        )
        console.print(f"removed from {folder.root}: {parts}", highlight=False, soft_wrap=True, markup=False)


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value
