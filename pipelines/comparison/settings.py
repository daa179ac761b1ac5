"""What tells runs apart beside their scores: settings, software and inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.comparison.columns import named
from pipelines.comparison.runs import ComparedRun
from pipelines.options import flatten
from pipelines.wording import counted

PLACES = frozenset({"inputs", "out", "fresh", "truth", "tracking_uri", "experiment"})
"""Settings that say where things lie, or were shown apart; they make no run different."""

ABSENT = "-"
"""Stands for the value of a setting that a run does not have."""


@dataclass(frozen=True)
class Difference:
    """A setting that is not the same in all runs.

    Attributes:
        key: its name, dotted.
        values: as text, one for each run; `ABSENT` where a run has no such setting.
    """

    key: str
    values: tuple[str, ...]


def settings_of(run: ComparedRun) -> dict[str, str]:
    """What determines a run, under dotted names: its configuration, its command, its software."""
    facts = run.facts
    config: Mapping[str, Any] = facts.get("config") or {}
    whole = {
        "command": facts.get("command"),
        "predictor": run.predictor,
        **{key: value for key, value in config.items() if key not in PLACES},
        "software": facts.get("software") or {},
    }
    flat = flatten(whole)
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in flat.items()}


def differing_settings(runs: Sequence[ComparedRun]) -> list[Difference]:
    """Settings in which at least two runs differ, in the order in which they appear."""
    settings = [settings_of(run) for run in runs]
    keys = dict.fromkeys(key for of_run in settings for key in of_run)
    rows = [Difference(key, tuple(of_run.get(key, ABSENT) for of_run in settings)) for key in keys]
    return [row for row in rows if len(set(row.values)) > 1]


def differing_inputs(runs: Sequence[ComparedRun]) -> list[str]:
    """What the runs read that others did not, a line each; a line that says so where all read the same."""
    inputs = [{row["video_id"]: _source(row) for row in run.videos} for run in runs]
    everywhere = set(inputs[0]).intersection(*inputs[1:])
    lines = []
    for run, own in zip(runs, inputs, strict=True):
        more = sorted(set(own) - everywhere)
        if more:
            lines.append(f"{run.label}: {counted(len(more), 'input')} that not all runs have: {named(more)}")
    other = sorted(name for name in everywhere if len({own[name] for own in inputs}) > 1)
    if other:
        lines.append(
            f"{counted(len(other), 'input')} with the same name that is not the same file or part of one: "
            f"{named(other)}"
        )
    return lines or [f"All runs read the same {counted(len(everywhere), 'input')}."]


def _source(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["uri"], row["start_s"], row["end_s"]
