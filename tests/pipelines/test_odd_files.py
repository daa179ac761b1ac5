"""Damaged and odd files through training and segmentation: each ends in a state with a reason."""

from collections import Counter
from pathlib import Path

import pytest

from pipelines.run_folder import RunFolder
from tests.pipelines.conftest import MODEL, VIDEO_MODEL
from tests.pipelines.odd_files import make_odd_files
from tests.pipelines.runs import check_run

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

SETTINGS = ["--decode_timeout_s", 20, "--max-failed", 1000]


def check_states(folder: RunFolder, inputs: Path, expected: dict[str, tuple[str, ...]]) -> Counter[str]:
    """Asserts that every input has one row, with a right state, and a reason where it needs one."""
    check_run(folder)
    rows = {str(Path(row["uri"]).relative_to(inputs)): row for row in folder.read_videos()}
    assert set(rows) == set(expected)
    wrong = {
        name: (row["status"], row["reason"])
        for name, row in rows.items()
        if row["status"] not in expected[name]
    }
    assert wrong == {}
    assert all("\n" not in (row["reason"] or "") for row in rows.values())
    return Counter(row["status"] for row in rows.values())


def test_every_file_ends_in_a_state_with_a_reason(tmp_path, command):
    inputs = tmp_path / "odd"
    expected = make_odd_files(inputs)
    assert len(expected) > 100
    trained = command(
        "train", inputs, *MODEL, *VIDEO_MODEL, *SETTINGS, "--workers", 2, "--lanes", 2, out="trained"
    )
    assert trained.code == 0
    assert "Traceback" not in trained.output
    states = check_states(trained.folder, inputs, expected)
    assert states["done"] > 60
    assert states["failed"] > 15
    segmented = command(
        "segment", inputs, "--model", trained.folder.root, *SETTINGS, "--lanes", 3, out="segmented"
    )
    assert segmented.code == 0
    assert "Traceback" not in segmented.output
    assert check_states(segmented.folder, inputs, expected) == states
