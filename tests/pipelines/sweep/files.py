"""Files of sweeps for tests."""

from pathlib import Path
from typing import Any

import yaml

SPACE = {"model.learning.lr": [1e-4, 1e-3], "model.demarcation.modifier": [0.8, 1.2]}


def content(**changes: Any) -> dict[str, Any]:
    """What a small grid asks for; a change to None leaves a key away."""
    whole = {
        "out": "sweep",
        "train": {"inputs": ["videos"], "recipe": "release", "model": {"feature_dim": 16}},
        "space": SPACE,
        "metric": "scene/hlr_iou",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def write_file(folder: Path, **changes: Any) -> Path:
    """Writes such a file, with an absolute `out` beside it unless that is changed."""
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(content(**{"out": str(folder / "sweep"), **changes}), sort_keys=False))
    return path
