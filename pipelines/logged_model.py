"""The model that a training has made, as a model of MLflow: `mlflow.pyfunc.load_model(...).predict(...)`.

What is logged stands alone: the parameters (without the optimiser's state, which is twice as large), a copy
of the package `streamer`, the requirements of both, a signature and an example.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

import streamer
from pipelines.options import flatten
from pipelines.run_folder import CHECKPOINT_FILE, software
from pipelines.tracking import Tracker
from streamer import checkpoint
from streamer.events_table import events_schema
from streamer.extractors import HUGGING_FACE

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature
    from mlflow.types.schema import Array, DataType

NAME = "streamer"
REQUIREMENTS = ("mlflow", "torch", "av", "numpy", "pandas", "pyarrow")
"""What the copied package needs to read videos and to segment them."""

EXAMPLES = {"frames": "recording.mp4", "vectors": "features.npy"}
"""A uri of what a model takes, by its modality."""


def log_model(tracker: Tracker, path: Path) -> str:
    """Logs a checkpoint as the model that the tracked run has made.

    Its parameters are written once: straight into the store's folder where there is one, and otherwise into a
    temporary folder beside the checkpoint, from which they are sent.

    Args:
        tracker: the run.
        path: a checkpoint of this project.

    Returns:
        Id of the model, which `mlflow.pyfunc.load_model("models:/ID")` loads.

    Raises:
        CheckpointError: the checkpoint cannot be read.
    """
    content = checkpoint.read(path, mapped=True)
    config: dict[str, Any] = content["config"]
    facts = {"levels": content["num_levels"], "precision": content["precision"], "seed": content["seed"]}
    with tracker.new_model(NAME, {**flatten(config), **facts}, scratch=path.parent) as new:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of MLflow's own code, on pandas 4
            model = _save(new.folder, new.model_id, tracker.run_id, config, facts)
        target = new.folder / "artifacts" / CHECKPOINT_FILE
        target.parent.mkdir()
        checkpoint.write_parameters(content, target)
        _name_checkpoint(model, target.relative_to(new.folder))
        model.model_size_bytes = sum(file.stat().st_size for file in new.folder.rglob("*") if file.is_file())
        model.save(str(new.folder / "MLmodel"))
    return new.model_id


def _save(
    folder: Path, model_id: str, run_id: str, config: Mapping[str, Any], facts: Mapping[str, Any]
) -> Model:
    """Writes everything but the parameters."""
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import Model

    from pipelines import mlflow_model

    model = Model(artifact_path=folder.as_uri(), run_id=run_id, model_uuid=model_id, model_id=model_id)
    mlflow.pyfunc.save_model(
        folder,
        python_model=mlflow_model.__file__,
        code_paths=[str(Path(streamer.__file__).parent)],
        mlflow_model=model,
        model_config={mlflow_model.DEVICE: "cpu"},
        signature=signature(),
        input_example=pd.DataFrame({"uri": [EXAMPLES[config["modality"]]], "video_id": ["recording"]}),
        # Without the local part (2.13.0+cpu), which the public index does not have.
        pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in _requirements(config)],
        metadata={"streamer_version": software()["streamer-ray"], "config": dict(config), **facts},
    )
    return model


def _requirements(config: Mapping[str, Any]) -> list[str]:
    """Packages that a model needs; a torch module of its user's is for its user to bring."""
    encoder = (config.get("features") or "").startswith(HUGGING_FACE)
    return [*REQUIREMENTS, "transformers"] if encoder else list(REQUIREMENTS)


def _name_checkpoint(model: Model, place: Path) -> None:
    """Makes the checkpoint an artifact of the model; MLflow itself would copy it, twice."""
    import mlflow.pyfunc

    from pipelines.mlflow_model import CHECKPOINT

    entry = {"path": place.as_posix(), "uri": place.as_posix()}
    model.flavors[mlflow.pyfunc.FLAVOR_NAME]["artifacts"] = {CHECKPOINT: entry}


def signature() -> ModelSignature:
    """What goes in and what comes out: a table of recordings, and the events table."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, DataType, Schema

    return ModelSignature(
        inputs=Schema(
            [ColSpec(DataType.string, "uri"), ColSpec(DataType.string, "video_id", required=False)]
        ),
        outputs=Schema(
            [ColSpec(_kind(field.type), field.name, required=False) for field in events_schema(1)]
        ),
    )


def _kind(kind: pa.DataType) -> DataType | Array:
    from mlflow.types.schema import Array, DataType

    if pa.types.is_fixed_size_list(kind):
        return Array(DataType.float)
    return {
        pa.string(): DataType.string,
        pa.int8(): DataType.integer,
        pa.int32(): DataType.integer,
        pa.float32(): DataType.float,
        pa.float64(): DataType.double,
    }[kind]
