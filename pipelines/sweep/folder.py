"""The folder of a sweep: what lies where, the file that tells how it goes, the table of its trials."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.resumption import FREE
from pipelines.run_folder import SUCCESS_FILE, RunFolder, RunState
from pipelines.sweep.plan import TRIALS, Plan, SweepError
from pipelines.sweep.records import Record
from streamer.atomic import atomic_write

SHOWN = 5
FACTS = {"asked", "config", "mlflow", "started", "trials"}  # of `sweep.json`, that a sweep needs to go on
FIXED_COLUMNS = pa.schema(
    [
        ("trial", pa.int32()),
        ("name", pa.string()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("value", pa.float64()),
        ("duration_s", pa.float64()),
        ("folder", pa.string()),
        ("run_id", pa.string()),
    ]
)


class SweepFolder:
    """Paths below the folder of one sweep.

    Args:
        root: the folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()
        self.state = self.root / "sweep.json"
        self.trials = self.root / TRIALS
        self.table = self.root / "trials.parquet"
        self.tune = self.root / ".tune"
        self.success = self.root / SUCCESS_FILE

    def earlier(self, plan: Plan, *, fresh: bool) -> dict[str, Any] | None:
        """What `sweep.json` tells of the sweep that goes on; None where one begins.

        Raises:
            SweepError: the folder holds something else, or a sweep with other trials.
            RunFolderError: it cannot be used at all.
        """
        run = RunFolder(self.root)
        if run.run_json.exists():
            raise SweepError(f"{self.root}: holds a run, not a sweep: choose another out in {plan.path}")
        run.check_free()
        if not self.state.exists():
            if self.trials.exists():
                raise SweepError(f"{self.root}: holds {TRIALS}/, but no sweep.json: choose another out")
            return None
        facts = self._read()
        if fresh:
            return None
        differing = differences(facts["asked"], asked(plan))
        if differing:
            more = f"; and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
            raise SweepError(
                f"{self.root}: holds a sweep with other trials: {'; '.join(differing[:SHOWN])}{more}: undo "
                f"that in {plan.path} to go on with it, choose another out, or start over with --fresh"
            )
        return facts

    def _read(self) -> dict[str, Any]:
        try:
            facts = json.loads(self.state.read_text(encoding="utf-8"))
        except OSError as error:
            raise SweepError(f"{self.state}: cannot be read ({error.strerror}): check it") from error
        except ValueError as error:
            raise SweepError(f"{self.state}: is not JSON ({error}): choose another out") from error
        if not isinstance(facts, dict) or not facts.keys() >= FACTS:
            raise SweepError(f"{self.state}: does not describe a sweep: choose another out")
        return facts

    def clear(self) -> None:
        """Removes what a sweep wrote here, but for the tracking store and so its history."""
        for file in (self.success, self.state, self.table):
            file.unlink(missing_ok=True)
        for folder in (self.trials, self.tune):
            if folder.exists():
                shutil.rmtree(folder)

    def create(self) -> None:
        """Makes the folder."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SweepError(f"{self.root}: cannot be made: {error.strerror}: choose another out") from error

    def write(
        self, state: RunState, facts: Mapping[str, Any], records: Sequence[Record], best: Record | None
    ) -> None:
        """Writes `sweep.json` and `trials.parquet`, with a column per searched option and score."""
        trials = [
            {name: value for name, value in _row(record).items() if name != "folder"}
            | {"settings": record.trial.settings}
            for record in records
        ]
        content = {"state": state, **facts, "best": best.trial.name if best else None, "trials": trials}
        with atomic_write(self.state) as temporary:
            temporary.write_text(json.dumps(content, indent=2, default=str) + "\n")
        with atomic_write(self.table) as temporary:
            pq.write_table(trial_table(records), temporary)


def asked(plan: Plan) -> dict[str, Any]:
    """What may not change from one start to the next, as JSON gives it back."""
    return json.loads(
        json.dumps({"train": plan.options, "trials": [trial.settings for trial in plan.trials]})
    )


def differences(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What another file asks for that contradicts a sweep; more trials at the end do not.

    Of a single run the annotations may change; trials that are compared must have the same.

    Args:
        stored: what `asked` returned when the sweep began.
        now: what it returns.
    """
    before, after = stored["train"], now["train"]
    found = [
        f"train.{name} was {_shown(before, name)}, is {_shown(after, name)}"
        for name in sorted({*before, *after})
        if name not in FREE - {"truth"} and before.get(name) != after.get(name)
    ]
    old, new = stored["trials"], now["trials"]
    if len(new) < len(old):
        found.append(f"it had {len(old)} trials, the file asks for {len(new)}")
    for number, (one, other) in enumerate(zip(old, new, strict=False), 1):
        changed = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
        found += [
            f"{name} of trial {number} was {_shown(one, name)}, is {_shown(other, name)}" for name in changed
        ]
        if changed:  # those after it differ too
            break
    return found


def _shown(values: Mapping[str, Any], name: str) -> str:
    return repr(values[name]) if name in values else "not there"


def trial_table(records: Sequence[Record]) -> pa.Table:
    """Trials as a table, in the order of their numbers."""
    rows = [_row(record) for record in records]
    columns = {
        column.name: pa.array([row[column.name] for row in rows], column.type) for column in FIXED_COLUMNS
    }
    for name in records[0].trial.settings:
        columns[name] = _column([record.trial.settings[name] for record in records])
    for name in sorted({name for record in records for name in record.metrics}):
        columns[name] = pa.array([record.metrics.get(name) for record in records], pa.float64())
    return pa.table(columns)


def _row(record: Record) -> dict[str, Any]:
    return {
        "trial": record.trial.number,
        "name": record.trial.name,
        "state": record.state,
        "reason": record.reason,
        "value": record.value,
        "duration_s": record.duration_s,
        "folder": str(record.trial.folder.root),
        "run_id": record.run_id,
    }


def _column(values: Sequence[Any]) -> pa.Array:
    """Values of one option: as they are where they are of one simple type, else as JSON."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 and kinds <= {int, float, bool, str}:
        return pa.array(values)
    return pa.array([json.dumps(value) for value in values], pa.string())
