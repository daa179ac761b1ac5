"""MLflow: one run per training, segmentation or evaluation, written by the driver alone."""

from __future__ import annotations

import getpass
import logging
import os
import shlex
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pipelines.annotations import Truth
from pipelines.options import flatten
from pipelines.run_folder import RunFolder
from streamer.errors import StreamerError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

DATABASE_FILE = "mlflow.db"
SQLITE = "sqlite:///"
MAX_BATCH = 1000  # metrics that one call of MLflow takes
DATASET_COLUMNS = ("video_id", "uri", "start_s", "end_s", "split")


class TrackingError(StreamerError):
    """A tracking store or server that cannot be used."""


def prepare_store(folder: RunFolder, uri: str | None, scratch: Path) -> Path | None:
    """Does what takes seconds before a run can be recorded, and writes nothing into the run's folder.

    Args:
        folder: the run.
        uri: as for `Tracker`.
        scratch: an existing folder for a new database.

    Returns:
        An empty database for `Tracker`, made in `scratch`; None where the store or server exists already.

    Raises:
        TrackingError: the store or server cannot be used.
    """
    place = store_uri(folder, uri)
    fresh = place == _sqlite(_own_database(folder)) and not _own_database(folder).exists()
    database = scratch / DATABASE_FILE if fresh else None
    if not fresh:
        _check_writable(place)
    with _usable(place):
        open_client(_sqlite(database) if database is not None else place).search_experiments(max_results=1)
    return database


def store_uri(folder: RunFolder, uri: str | None) -> str:
    """The store or server to use: `uri`, or else MLFLOW_TRACKING_URI, or else SQLite in the run's folder."""
    return uri or os.environ.get("MLFLOW_TRACKING_URI") or _sqlite(_own_database(folder))


def _check_writable(uri: str) -> None:
    """Refuses a SQLite file that cannot be written, before MLflow tries again and again for a minute.

    Raises:
        TrackingError: naming the file.
    """
    path = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or not path.parent.exists():  # MLflow makes folders
        return
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.W_OK):
            raise TrackingError(
                f"{uri}: cannot be written (no permission for {place}): correct --tracking_uri or "
                "MLFLOW_TRACKING_URI"
            )


def _own_database(folder: RunFolder) -> Path:
    return folder.root / DATABASE_FILE


def _sqlite(path: Path) -> str:
    return f"{SQLITE}{path}"


def _artifact_location(uri: str) -> str | None:
    """Beside a SQLite file, since MLflow would take the working directory; a server knows its own."""
    if not uri.startswith(SQLITE):
        return None
    return (Path(uri.removeprefix(SQLITE)).absolute().parent / "mlartifacts").as_uri()


def open_client(uri: str) -> MlflowClient:
    """A client of a store or server, quiet about its doings."""
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)  # says how it makes its tables
    return MlflowClient(tracking_uri=uri)


@contextmanager
def _usable(uri: str) -> Iterator[None]:
    """Turns what goes wrong while a store is opened into one line, within seconds."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when MLflow is imported
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    from mlflow.exceptions import MlflowException  # seconds: only commands that track pay for it
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        raise TrackingError(
            f"{uri}: MLflow cannot be used: {first_line(error)}: correct --tracking_uri or "
            "MLFLOW_TRACKING_URI, or leave both away to track in the run's folder"
        ) from error


def first_line(error: Exception) -> str:
    """What an error says, without the explanations that libraries add below."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class Tracker:
    """An open MLflow run.

    Args:
        folder: the run whose folder holds the default store.
        experiment: MLflow experiment, created where it does not exist.
        run_name: name of the MLflow run.
        uri: store or server; None for MLFLOW_TRACKING_URI, or else SQLite in the run's folder.
        source: what started the run, as MLflow shows it.
        database: what `prepare_store` returned; becomes the run's own database where it has none.
        going_on: id of an MLflow run to go on with, where the store knows it.
        parent: id of the MLflow run of which this one is a part.
        tags: words about the run, such as `run_tags` gives.

    Attributes:
        goes_on: whether the MLflow run was there before.

    Raises:
        TrackingError: the store or server cannot be used.
    """

    def __init__(
        self,
        folder: RunFolder,
        experiment: str,
        run_name: str,
        uri: str | None,
        *,
        source: str,
        database: Path | None = None,
        going_on: str | None = None,
        parent: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.uri = store_uri(folder, uri)
        self._model_id: str | None = None
        self._scored_on: tuple[str | None, str | None] = (None, None)
        if database is not None and not _own_database(folder).exists():
            folder.root.mkdir(parents=True, exist_ok=True)
            shutil.move(database, _own_database(folder))
        _check_writable(self.uri)
        with _usable(self.uri):
            self._client = open_client(self.uri)
            found = self._client.get_experiment_by_name(experiment)
            if found is not None:
                self.experiment_id = found.experiment_id
            else:
                location = _artifact_location(self.uri)
                self.experiment_id = self._client.create_experiment(experiment, artifact_location=location)
            self.goes_on = going_on is not None and self._reopen(going_on)
            if going_on is not None and self.goes_on:
                self.run_id = going_on
                return
            words = {"mlflow.user": _user(), "mlflow.source.name": source, **(tags or {})}
            if parent is not None:
                words["mlflow.parentRunId"] = parent
            run = self._client.create_run(self.experiment_id, tags=words, run_name=run_name)
        self.run_id: str = run.info.run_id

    def _reopen(self, run_id: str) -> bool:
        """Marks an MLflow run as running again; False where this store does not know it."""
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

        try:
            found = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                return False
            raise
        if found.info.lifecycle_stage != "active":
            return False
        self._client.update_run(run_id, status="RUNNING")
        self.experiment_id = found.info.experiment_id
        return True

    @property
    def directions(self) -> str:
        """How to look at the run: the command that opens MLflow's pages, and their address."""
        page = f"#/experiments/{self.experiment_id}/runs/{self.run_id}"
        if self.uri.startswith("http"):
            return f"{self.uri.rstrip('/')}/{page}"
        beside = Path(sys.executable).parent / "mlflow"  # where the environment has not been activated
        program = "mlflow" if shutil.which("mlflow") else os.path.relpath(beside)
        command = f"{program} ui --host 127.0.0.1 --backend-store-uri {shlex.quote(self.uri)}"
        return f"{command}   then open http://127.0.0.1:5000/{page}"

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Records settings, nested ones under dotted names."""
        from mlflow.entities import Param

        flat = [Param(key, str(value)[:6000]) for key, value in flatten(params).items()]
        for start in range(0, len(flat), 100):
            self._client.log_batch(self.run_id, params=flat[start : start + 100])

    def set_tag(self, name: str, value: str) -> None:
        """Records a word about the run."""
        self._client.set_tag(self.run_id, name, value)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Records numbers at a step."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        belongs = (self._model_id, *self._scored_on)
        batch = [Metric(key, float(value), now, step, *belongs) for key, value in metrics.items()]
        for start in range(0, len(batch), MAX_BATCH):
            self._client.log_batch(self.run_id, metrics=batch[start : start + MAX_BATCH])

    def log_curves(self, curves: Mapping[str, Sequence[Point]]) -> None:
        """Records numbers by step that were measured at other times."""
        from mlflow.entities import Metric

        batch = [
            Metric(key, point.value, point.timestamp, point.step)
            for key, points in curves.items()
            for point in points
        ]
        for start in range(0, len(batch), MAX_BATCH):
            self._client.log_batch(self.run_id, metrics=batch[start : start + MAX_BATCH])

    def log_dataset(self, rows: Sequence[Mapping[str, Any]], source: str, name: str, context: str) -> None:
        """Records which videos the run read.

        Of the rows only what says which recordings they are, so that the same inputs have the same digest
        whatever a run made of them.
        """
        identity = [{key: row.get(key) for key in DATASET_COLUMNS} for row in rows]
        identity.sort(key=lambda row: str(row["video_id"]))
        self._log_table(identity, source, name, context)

    def log_truth(self, truth: Truth) -> None:
        """Records the annotations that scores are against; metrics that are logged later are told so."""
        rows = [
            {"video_id": video_id, "level": level, "start_s": start_s, "end_s": end_s, "label": label}
            for video_id, levels in truth.videos.items()
            for level, events in levels.items()
            for start_s, end_s, label in events
        ]
        self._scored_on = self._log_table(rows, str(truth.path.absolute()), truth.path.stem, "evaluation")

    def _log_table(
        self, rows: Sequence[Mapping[str, Any]], source: str, name: str, context: str
    ) -> tuple[str, str]:
        """Records a dataset; gives its name and digest."""
        import pandas as pd
        from mlflow.data.pandas_dataset import from_pandas
        from mlflow.entities import DatasetInput, InputTag

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hints on model schemas and on pandas 4, of no use here
            dataset = from_pandas(pd.DataFrame(list(rows)), source=source, name=name)
            entity = DatasetInput(dataset._to_mlflow_entity(), [InputTag("mlflow.data.context", context)])
        self._client.log_inputs(self.run_id, [entity])
        return dataset.name, dataset.digest

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Stores a file with the run."""
        self._client.log_artifact(self.run_id, str(path), folder)

    @contextmanager
    def new_model(self, name: str, params: Mapping[str, Any], *, scratch: Path) -> Iterator[NewModel]:
        """Records a model that this run has made. What the block writes into its folder is stored with it.

        Where the store keeps artifacts on this machine, the folder is already the one where they stay.
        Metrics that are logged later are the model's too.

        Args:
            name: of the model.
            params: its settings.
            scratch: an existing folder for what must be sent elsewhere.
        """
        from mlflow.entities import LoggedModelOutput, LoggedModelStatus

        model = self._client.create_logged_model(
            self.experiment_id,
            name=name,
            source_run_id=self.run_id,
            params={key: str(value) for key, value in params.items()},
        )
        status = LoggedModelStatus.FAILED
        try:
            if (place := _local_folder(model.artifact_location)) is not None:
                place.mkdir(parents=True)
                yield NewModel(model.model_id, place)
            else:
                with TemporaryDirectory(dir=scratch, prefix=".model-") as folder:
                    yield NewModel(model.model_id, Path(folder))
                    self._client.log_model_artifacts(model.model_id, folder)
            status = LoggedModelStatus.READY
        finally:
            self._client.finalize_logged_model(model.model_id, status)
        self._client.log_outputs(self.run_id, [LoggedModelOutput(model.model_id, step=0)])
        self._model_id = model.model_id

    def close(self, status: str = "FINISHED") -> None:
        """Ends the run: FINISHED, FAILED or KILLED."""
        self._client.set_terminated(self.run_id, status)


@contextmanager
def ended(tracker: Tracker) -> Iterator[None]:
    """Ends the run with the block: as FAILED where it raises."""
    try:
        yield
    except BaseException:
        tracker.close("FAILED")
        raise
    tracker.close()


class Point(NamedTuple):
    """One entry of a metric.

    Attributes:
        step: which.
        timestamp: milliseconds since 1970.
        value: the number.
    """

    step: int
    timestamp: int
    value: float


@dataclass(frozen=True)
class NewModel:
    """A model that is being recorded.

    Attributes:
        model_id: what MLflow calls it.
        folder: an empty folder for its files.
    """

    model_id: str
    folder: Path


def _local_folder(uri: str) -> Path | None:
    """The folder of this machine that an artifact location names; None where it is elsewhere."""
    parts = urlsplit(uri)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _user() -> str:
    """The user's name; in a container its number may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
