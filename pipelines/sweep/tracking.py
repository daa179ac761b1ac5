"""A sweep in MLflow: a run of its own, of which the runs of its trials become children."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.run_folder import RunFolder
from pipelines.sweep.folder import SweepFolder
from pipelines.sweep.plan import Plan, describe_domain, describe_value
from pipelines.sweep.records import Record, ranked
from pipelines.tracking import Tracker


class SweepTracker:
    """The MLflow run of a sweep.

    Args:
        plan: what the sweep does.
        folder: of the sweep.
        database: what `prepare_store` returned.
        going_on: id of its MLflow run, where it has one.

    Raises:
        TrackingError: the store or server cannot be used.
    """

    def __init__(
        self,
        plan: Plan,
        folder: SweepFolder,
        *,
        database: Path | None,
        going_on: str | None,
    ) -> None:
        self._plan = plan
        self._adopted: set[str] = set()
        self._tracker = Tracker(
            RunFolder(folder.root),
            plan.trials[0].config.experiment,
            "/".join(folder.root.parts[-2:]),
            plan.trials[0].config.tracking_uri,
            source="streamer sweep",
            database=database,
            going_on=going_on,
        )
        if not self._tracker.goes_on:
            self._tracker.log_params(_params(plan))
        # What another start may ask for differently; MLflow keeps the first value of a parameter.
        for name in ("metric", "mode"):
            self._tracker.set_tag(f"streamer.{name}", getattr(plan.file, name))

    @property
    def uri(self) -> str:
        """The store or server."""
        return self._tracker.uri

    @property
    def run_id(self) -> str:
        """The MLflow run."""
        return self._tracker.run_id

    @property
    def directions(self) -> str:
        """How to look at it."""
        return self._tracker.directions

    def adopt(self, record: Record) -> str | None:
        """Makes the MLflow run of a trial, if there is one by now, a child of the sweep's.

        Returns:
            Why that cannot be; None where nothing is in the way.
        """
        facts = record.facts
        if facts is None or facts["mlflow"]["run_id"] in self._adopted:
            return None
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        run_id: str = facts["mlflow"]["run_id"]
        record.run_id = run_id
        self._adopted.add(run_id)
        client = MlflowClient(tracking_uri=self.uri)
        try:
            client.set_tag(run_id, "mlflow.parentRunId", self.run_id)
            client.set_tag(run_id, "mlflow.runName", record.trial.name)
        except MlflowException as error:  # removed meanwhile, or in the store of an earlier start
            return f"its MLflow run is no part of the sweep's: {' '.join(str(error).split())}"
        return None

    def log(self, records: Sequence[Record]) -> None:
        """Records how many trials have ended, and the scores of the best so far."""
        states = [record.state for record in records]
        values = {
            f"trials_{state}": float(states.count(state)) for state in ("finished", "failed", "pending")
        }
        best = ranked(records, self._plan.file.mode)
        if best:
            values |= best[0].metrics
        self._tracker.log_metrics(values, step=states.count("finished") + states.count("failed"))

    def name_best(self, best: Record) -> None:
        """Records which trial is the best."""
        tags = {
            "best_trial": best.trial.name,
            "best_run_id": best.run_id or "",
            **{f"best.{name}": describe_value(value) for name, value in best.trial.settings.items()},
        }
        for name, value in tags.items():
            self._tracker.set_tag(f"streamer.{name}", value)

    def log_file(self, path: Path) -> None:
        """Stores a file with the sweep."""
        self._tracker.log_artifact(path)

    def close(self, status: str = "FINISHED") -> None:
        """Ends the MLflow run: FINISHED, FAILED or KILLED."""
        self._tracker.close(status)


def _params(plan: Plan) -> Mapping[str, object]:
    file = plan.file
    return {
        "search": file.search,
        **({"seed": file.seed or 0} if file.search == "random" else {}),
        **{f"space.{name}": describe_domain(domain) for name, domain in plan.space.items()},
        **{f"train.{name}": value for name, value in plan.options.items()},
    }
