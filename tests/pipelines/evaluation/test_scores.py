"""The file of scores: what goes in comes out, and what cannot be read is said in one line."""

import math
import os
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.evaluation.scores import (
    COLUMNS,
    SCORES_SCHEMA,
    Score,
    read_scores,
    scored_truth,
    scores_frame,
    write_scores,
)
from pipelines.run_folder import RunFolder, RunFolderError

TRUTH_FILE = Path("truth.csv")
SCORES = [
    Score("a[/x]", "streamer", "scene", None, "hlr_iou", 0.25),
    Score("a[/x]", "streamer", "scene", 0, "boundary_f1@3s", 0.5, 4.0, 8.0),
    Score("b", "dyadic_grid", "scene", 2, "boundary_f1@3s", math.nan, 0.0, 0.0),
    Score(None, "streamer", "all levels", 1, "retrieval_map", 0.125),
]


def test_scores_come_back_as_they_were(tmp_path):
    folder = RunFolder(tmp_path)
    write_scores(SCORES, folder, TRUTH_FILE)
    frame = read_scores(folder)
    pd.testing.assert_frame_equal(frame, scores_frame(SCORES))
    assert frame["level"].isna().tolist() == [True, False, False, False]
    assert frame["video_id"].isna().tolist() == [False, False, False, True]


def test_file_tells_undefined_values_from_absent_ones(tmp_path):
    folder = RunFolder(tmp_path)
    write_scores(SCORES, folder, TRUTH_FILE)
    table = pq.read_table(folder.evaluation)
    assert table.schema == SCORES_SCHEMA
    assert table["numerator"].to_pylist() == [None, 4.0, 0.0, None]
    assert table["denominator"].to_pylist() == [None, 8.0, 0.0, None]
    assert table["value"].null_count == 0


def test_the_file_tells_which_annotations_were_scored_against(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    assert scored_truth(folder) is None
    monkeypatch.chdir(tmp_path)
    for name in ("truth.csv", "ü 100%.csv", os.fsdecode(b"not \xff utf-8.csv")):
        write_scores(SCORES, folder, Path(name))
        assert scored_truth(folder) == tmp_path / name
    pq.write_table(pa.Table.from_pylist([], SCORES_SCHEMA), folder.evaluation)
    assert scored_truth(folder) is None, "an older file does not tell"
    folder.evaluation.write_bytes(b"damaged")
    assert scored_truth(folder) is None


def test_no_scores_have_the_same_columns(tmp_path):
    write_scores([], RunFolder(tmp_path), TRUTH_FILE)
    assert tuple(read_scores(RunFolder(tmp_path)).columns) == COLUMNS


def refused(folder: RunFolder) -> str:
    with pytest.raises(RunFolderError) as raised:
        read_scores(folder)
    message = str(raised.value)
    assert "\n" not in message
    assert re.search(r"with streamer evaluate \S+ --truth FILE$", message)
    return message


def test_unscored_run_is_refused(tmp_path):
    assert "has no scores" in refused(RunFolder(tmp_path))


def test_scores_of_an_older_version_are_refused(tmp_path):
    folder = RunFolder(tmp_path)
    older = pa.schema([field for field in SCORES_SCHEMA if field.name not in ("numerator", "denominator")])
    pq.write_table(pa.Table.from_pylist([], schema=older), folder.evaluation)
    assert "holds scores of version 1" in refused(folder)


def test_damaged_scores_are_refused(tmp_path):
    folder = RunFolder(tmp_path)
    folder.evaluation.write_bytes(b"noise")
    assert "cannot be read" in refused(folder)
