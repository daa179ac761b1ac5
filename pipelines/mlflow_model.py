"""The model as MLflow runs it. A copy of this file lies in every model that `pipelines.logged_model` logs.

MLflow executes the copy when it loads such a model, beside a copy of the package `streamer`; nothing is
unpickled. It therefore imports nothing of this package.
"""

from __future__ import annotations

from typing import Any

import mlflow.models
import pandas as pd
import pyarrow as pa
from mlflow.pyfunc.model import PythonModel, PythonModelContext

import streamer

CHECKPOINT = "checkpoint"
"""Name of the artifact that holds the parameters."""

DEVICE = "device"
"""Key of the configuration that can be overridden when the model is loaded."""


class StreamerModel(PythonModel):
    """Cuts recordings into hierarchies of events with parameters that do not change."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the parameters, onto the device that the model's configuration names.

        Raises:
            CheckpointError: the file is damaged.
        """
        self._model = streamer.load(context.artifacts[CHECKPOINT], device=context.model_config[DEVICE])

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride] - MLflow's own says None
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Segments recordings, one after the other.

        Args:
            context: what `load_context` was given.
            model_input: a table with the column `uri` (file or http(s) address) and optionally `video_id`
                (by default the file's name without suffix), one row per recording.
            params: none are known.

        Returns:
            The events of all recordings and levels, with the columns of the events table.

        Raises:
            StreamerError: a recording cannot be read, or does not fit the model.
        """
        names = model_input["video_id"] if "video_id" in model_input else [None] * len(model_input)
        tables = []
        for uri, name in zip(model_input["uri"], names, strict=True):
            hierarchy = streamer.segment(uri, self._model, video_id=None if pd.isna(name) else name)
            # What the schema's metadata tells of a video has no place in a table of several.
            tables.append(hierarchy.to_arrow().replace_schema_metadata())
        return pa.concat_tables(tables).to_pandas()


mlflow.models.set_model(StreamerModel())
