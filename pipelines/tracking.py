"""MLflow: one run per training, segmentation or evaluation, written by the driver alone."""

from __future__ import annotations

import logging
import os
import shlex
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.run_folder import RunFolder
from streamer.errors import StreamerError

MAX_BATCH = 1000  # metrics that one call of MLflow takes


class TrackingError(StreamerError):
    """A tracking store or server that cannot be used."""


class Tracker:
    """An open MLflow run.

    Args:
        folder: the run whose folder holds the default store.
        experiment: MLflow experiment, created where it does not exist.
        run_name: name of the MLflow run.
        uri: store or server; None for MLFLOW_TRACKING_URI, or else SQLite in the run's folder.

    Raises:
        TrackingError: the store or server cannot be used.
    """

    def __init__(self, folder: RunFolder, experiment: str, run_name: str, uri: str | None) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        import mlflow  # seconds: only commands that track pay for it
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)  # says how it makes its tables
        own = f"sqlite:///{folder.root / 'mlflow.db'}"
        self.uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or own
        self._mlflow = mlflow
        try:
            self._client = MlflowClient(tracking_uri=self.uri)
            found = self._client.get_experiment_by_name(experiment)
            if found is not None:
                experiment_id = found.experiment_id
            else:
                location = (folder.root / "mlartifacts").as_uri() if self.uri == own else None
                experiment_id = self._client.create_experiment(experiment, artifact_location=location)
            run = self._client.create_run(experiment_id, run_name=run_name)
        except MlflowException as error:
            raise TrackingError(f"{self.uri}: MLflow cannot be used: {str(error).splitlines()[0]}") from error
        self.run_id: str = run.info.run_id
        self.experiment_id = experiment_id

    @property
    def ui_command(self) -> str:
        """The command, or the address, that shows the run."""
        if self.uri.startswith("http"):
            return f"{self.uri.rstrip('/')}/#/experiments/{self.experiment_id}/runs/{self.run_id}"
        return f"mlflow ui --host 127.0.0.1 --backend-store-uri {shlex.quote(self.uri)}"

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Records settings, nested ones under dotted names."""
        from mlflow.entities import Param

        flat = [Param(key, str(value)[:6000]) for key, value in flatten(params).items()]
        for start in range(0, len(flat), 100):
            self._client.log_batch(self.run_id, params=flat[start : start + 100])

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Records numbers at a step."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        batch = [Metric(key, float(value), now, step) for key, value in metrics.items()]
        for start in range(0, len(batch), MAX_BATCH):
            self._client.log_batch(self.run_id, metrics=batch[start : start + MAX_BATCH])

    def log_dataset(self, rows: Sequence[Mapping[str, Any]], source: str, name: str, context: str) -> None:
        """Records which videos the run read."""
        import pandas as pd
        from mlflow.entities import DatasetInput, InputTag

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hints on model schemas and on pandas 4, of no use here
            dataset = self._mlflow.data.from_pandas(pd.DataFrame(list(rows)), source=source, name=name)  # type: ignore[attr-defined]
            entity = DatasetInput(dataset._to_mlflow_entity(), [InputTag("mlflow.data.context", context)])
        self._client.log_inputs(self.run_id, [entity])

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Stores a file with the run."""
        self._client.log_artifact(self.run_id, str(path), folder)

    def close(self, status: str = "FINISHED") -> None:
        """Ends the run: FINISHED, FAILED or KILLED."""
        self._client.set_terminated(self.run_id, status)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat
