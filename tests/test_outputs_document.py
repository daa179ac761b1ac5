"""docs/outputs.md: its queries answer their questions on a small run; its schemas are those of the files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.catalog import CatalogEntry
from pipelines.catalog_table import CATALOG_SCHEMA, write_catalog
from pipelines.cli import parse
from pipelines.comparison.files import COMPARISON_SCHEMA
from pipelines.evaluation.scores import SCORES_SCHEMA
from pipelines.run_folder import VIDEOS_SCHEMA, RunFolder, VideoRow
from pipelines.store import SIGNALS_SCHEMA, HierarchyStore
from streamer.events_table import events_schema
from streamer.hierarchy import Event, Hierarchy
from streamer.merge_cost import cosine_ward
from streamer.merged_levels import merge_tree
from streamer.signals import Signal
from streamer.tree_table import TREE_SCHEMA

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENT = (PROJECT / "docs" / "outputs.md").read_text()
STARTS = {
    "kitchen": [(0.0, 1.0, 4.0, 5.0), (0.0, 4.0), (0.0,)],
    "garage": [(0.0, 2.0, 3.0), (0.0, 3.0), (0.0,)],
}
DURATIONS = {"kitchen": 10.0, "garage": 6.0}
UNKNOWN = ("garage", 1, 1)  # the event without a representation


def block(heading: str) -> str:
    """The code under a heading."""
    found = re.search(rf"^### {re.escape(heading)}\n\n```\w+\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def vector(video_id: str, level: int, event: int) -> np.ndarray | None:
    """Representations that turn with the index; those of the garage lag behind by 10 degrees."""
    if (video_id, level, event) == UNKNOWN:
        return None
    angle = np.radians(90 * event + 10 * (video_id == "garage"))
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def hierarchy(video_id: str) -> Hierarchy:
    levels = []
    for level, starts in enumerate(STARTS[video_id]):
        ends = (*starts[1:], DURATIONS[video_id])
        levels.append(
            [
                Event(start, end, 0.5, 0.25, vector(video_id, level, event))
                for event, (start, end) in enumerate(zip(starts, ends, strict=True))
            ]
        )
    return Hierarchy(video_id, DURATIONS[video_id], 0.5, levels, int(DURATIONS[video_id] / 0.5), 2)


def scores() -> pd.DataFrame:
    """Scores with the columns of the document."""
    rows = [
        ("kitchen", "streamer", "step", None, "hlr_iou", 0.5, None, None),
        ("garage", "streamer", "step", None, "hlr_iou", 0.7, None, None),
        ("kitchen", "uniform", "step", None, "hlr_iou", 0.2, None, None),
        ("kitchen", "streamer", "step", None, "hlr_mof", 0.9, None, None),
        ("kitchen", "streamer", "step", 0, "events", 4.0, None, None),
        ("kitchen", "streamer", "step", 0, "boundary_f1@0.5s", 0.5, 1.0, 2.0),
        ("garage", "streamer", "step", 0, "boundary_f1@0.5s", 0.25, 2.0, 8.0),
        ("kitchen", "streamer", "step", 1, "boundary_f1@0.5s", 1.0, 4.0, 4.0),
        ("garage", "streamer", "step", 1, "boundary_f1@0.5s", float("nan"), 0.0, 0.0),
        (None, "streamer", "step", 1, "knn_accuracy", 0.5, 1.0, 2.0),
    ]
    columns = ["video_id", "predictor", "truth_level", "level", "metric", "value", "numerator", "denominator"]
    return pd.DataFrame(rows, columns=columns).astype({"level": "Int8"})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run of two videos and a broken one, in the working directory, and another run beside it."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    store = HierarchyStore(folder, {"streamer.config": '{"seed": 3}', "streamer.model": "m"}, signals=True)
    rows = []
    for place, video_id in enumerate(STARTS):
        signals = [
            Signal(snippet, level, snippet / 10, snippet == 2) for level in (0, 1) for snippet in (1, 2, 3)
        ]
        events = hierarchy(video_id)
        store.write(replace(events, tree=merge_tree(events, cosine_ward)), signals)
        fps = (25.0, 30000 / 1001)[place]
        found = CatalogEntry(video_id, f"/data/{video_id}.mp4", "video", fps=fps, start_s=2.0 * place)
        rows.append(VideoRow(found, "done", None, DURATIONS[video_id], 20))
    broken = CatalogEntry("broken", "/data/broken.mp4", "video", status="failed", reason="no such file")
    rows.append(VideoRow(broken, "failed", "no such file", None, 0))
    folder.write_videos(rows)
    write_catalog(folder.catalog, [row.entry for row in rows])
    scores().to_parquet(folder.evaluation)
    (folder.root / "truth.csv").write_text(
        "video_id,level,start_s,end_s,label\nkitchen,step,0,3,cut\nkitchen,step,3,10,fry\ngarage,step,0,6,saw\n"
        "kitchen,task,0,10,cook\n"
    )
    other = RunFolder(tmp_path / "other")
    other.create()
    HierarchyStore(other, {}, signals=False).write(
        Hierarchy("kitchen", 10.0, 0.5, [[Event(0.0, 2.0), Event(2.0, 10.0)]], 20, 2), []
    )
    monkeypatch.chdir(folder.root)
    return folder


@pytest.fixture
def database(run: RunFolder) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    views = re.search(r"## Questions in SQL.*?```sql\n(.*?)```", DOCUMENT, re.DOTALL)
    assert views
    connection.execute(views[1])
    return connection


ANSWERS: Mapping[str, list[tuple[Any, ...]]] = {
    "How many events per hour does each level find?": [(0, 7, 1575.0), (1, 4, 900.0), (2, 2, 450.0)],
    "How long are events?": [
        (0, 1.0, 3),
        (0, 2.0, 1),
        (0, 3.0, 2),
        (0, 5.0, 1),
        (1, 3.0, 2),
        (1, 4.0, 1),
        (1, 6.0, 1),
        (2, 6.0, 1),
        (2, 10.0, 1),
    ],
    "Which events have the most children?": [
        ("garage", 1, 0, 0.0, 3.0, 2),
        ("garage", 2, 0, 0.0, 6.0, 2),
        ("kitchen", 1, 0, 0.0, 4.0, 2),
        ("kitchen", 2, 0, 0.0, 10.0, 2),
        ("kitchen", 1, 1, 4.0, 10.0, 2),
        ("garage", 1, 1, 3.0, 6.0, 1),
    ],
    "Which boundaries lie within a second of a given time?": [(0, 4.0, -0.2), (1, 4.0, -0.2), (0, 5.0, 0.8)],
    "Which events are the longest?": [
        (0, "kitchen", 5.0, 10.0, 5.0),
        (0, "garage", 3.0, 6.0, 3.0),
        (0, "kitchen", 1.0, 4.0, 3.0),
        (1, "kitchen", 4.0, 10.0, 6.0),
        (1, "kitchen", 0.0, 4.0, 4.0),
        (1, "garage", 0.0, 3.0, 3.0),
        (2, "kitchen", 0.0, 10.0, 10.0),
        (2, "garage", 0.0, 6.0, 6.0),
    ],
    "In which events of every level does each event lie?": [
        ("garage", 0.0, 2.0, 0, 0),
        ("garage", 2.0, 3.0, 0, 0),
        ("garage", 3.0, 6.0, 1, 0),
        ("kitchen", 0.0, 1.0, 0, 0),
        ("kitchen", 1.0, 4.0, 0, 0),
        ("kitchen", 4.0, 5.0, 1, 0),
        ("kitchen", 5.0, 10.0, 1, 0),
    ],
    "Where would a video be cut into three?": [(4.0, 9.562934), (5.0, 1.666667)],
    "What was annotated while an event lasted?": [
        ("garage", 0, "saw", 3.0),
        ("garage", 1, "saw", 3.0),
        ("kitchen", 0, "cook", 4.0),
        ("kitchen", 1, "fry", 6.0),
    ],
    "How are the signals distributed?": [(0, 6, 2, 0.1, 0.2, 0.3), (1, 6, 2, 0.1, 0.2, 0.3)],
    "Which events are most like a given one?": [("garage", 0, 0.0, 0.9848)],
    "What went wrong?": [("failed", "no such file", 1, "broken")],
    "Which level is best, by each F1?": [("step", "boundary_f1@0.5s", 1, 1.0, 1)],
    "What is a score over all videos together?": [
        ("step", "streamer", 0, "boundary_f1@0.5s", 0.375, 0.3),
        ("step", "streamer", 1, "boundary_f1@0.5s", 1.0, 1.0),
    ],
    "Does another run find more events?": [("kitchen", 0, 4, 2, -2)],
}


@pytest.mark.parametrize("heading", ANSWERS)
def test_a_query_answers_its_question(database: duckdb.DuckDBPyConnection, heading: str) -> None:
    rows = database.sql(block(heading)).fetchall()
    assert [tuple(rounded(value) for value in row) for row in rows] == ANSWERS[heading]


def rounded(value: Any) -> Any:
    """Numbers that were float32 without their last bits."""
    return round(value, 6) if isinstance(value, float) else value


def test_events_are_told_in_frames_of_the_file(database: duckdb.DuckDBPyConnection) -> None:
    rows = database.sql(block("Which frames of the file does an event have?")).fetchall()
    assert [row[3:] for row in rows if row[:2] == ("kitchen", 0)] == [
        (0, 25),
        (25, 100),
        (100, 125),
        (125, 250),
    ]
    # The garage is the part of a recording from 2 s on, at 30000/1001 frames per second.
    assert [row[3:] for row in rows if row[:2] == ("garage", 1)] == [(59, 149), (149, 239)]


def test_every_query_has_a_test() -> None:
    sql = re.search(r"## Questions in SQL(.*?)## Questions in Python", DOCUMENT, re.DOTALL)
    assert sql
    headings = set(re.findall(r"^### (.*)$", sql[1], re.MULTILINE))
    assert headings - set(ANSWERS) == {"Which frames of the file does an event have?"}
    assert len(headings) >= 12


def run_python(heading: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(block(heading), "docs/outputs.md", "exec"), names)
    return names


def test_lengths_in_pandas(run: RunFolder) -> None:
    lengths = run_python("Mean, median and longest event per level")["lengths"]
    assert lengths.loc[1].tolist() == [4, 4.0, 3.5, 6.0]
    assert lengths.index.tolist() == [0, 1, 2]


def test_nearest_events_in_numpy(run: RunFolder) -> None:
    events = run_python("Nearest events of other videos, by representation")["events"]
    assert (events.video_id + events.event.astype(str)).tolist() == ["garage0", "kitchen0", "kitchen1"]
    assert events.nearest.tolist() == [1, 0, 0]


def test_means_in_pandas(run: RunFolder) -> None:
    means = run_python("Means over videos, beside the floors")["means"]
    assert means.loc["streamer", "hlr_iou"] == pytest.approx(0.6)
    assert means.loc["uniform", "hlr_iou"] == pytest.approx(0.2)


def test_failures_in_pandas(run: RunFolder) -> None:
    failed = run_python("Videos that failed")["failed"]
    assert failed.to_numpy().tolist() == [["broken", "no such file"]]


def test_how_a_hierarchy_was_made(run: RunFolder) -> None:
    names = run_python("How a hierarchy was made")
    assert (names["duration_s"], names["config"]) == (10.0, {"seed": 3})


def test_hierarchies_as_objects(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    run_python("As an object")
    assert capsys.readouterr().out == "3 [(0.0, 4.0), (4.0, 10.0)] [1. 4. 5.]\n"


def columns(section: str) -> dict[str, str]:
    """Names and types in the table of a section; types are those of Arrow in the document's words."""
    text = re.search(rf"^## `{re.escape(section)}`\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert text, section
    found = {}
    for names, kind in re.findall(r"^\| (`[^|]*`) \| ([^|]+) \|", text[1], re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"`(\w+)`", names), kind.strip())
    return found


def documented(schema: pa.Schema) -> dict[str, str]:
    words = {"double": "float64", "float": "float32"}
    return {field.name: words.get(str(field.type), str(field.type)) for field in schema}


@pytest.mark.parametrize(
    ("section", "schema"),
    [
        ("trees/VIDEO.parquet", TREE_SCHEMA),
        ("signals/VIDEO.parquet", SIGNALS_SCHEMA),
        ("videos.parquet", VIDEOS_SCHEMA),
        ("evaluation.parquet", SCORES_SCHEMA),
        ("comparison.parquet", COMPARISON_SCHEMA),
    ],
)
def test_columns_are_those_of_the_files(section: str, schema: pa.Schema) -> None:
    assert columns(section) == documented(schema)


def test_columns_of_events_are_those_of_the_files() -> None:
    found = columns("hierarchy/VIDEO.parquet")
    schema = documented(events_schema(2))
    assert list(found)[: len(schema)] == list(schema)
    assert {name: found[name] for name in schema if name != "representation"} == {
        name: kind for name, kind in schema.items() if name != "representation"
    }


def test_the_catalog_differs_as_it_says() -> None:
    assert set(CATALOG_SCHEMA.names) == (set(VIDEOS_SCHEMA.names) - {"snippets"}) | {"dim"}


def test_metadata_keys_are_those_of_the_files(run: RunFolder) -> None:
    known = set(re.findall(r"^\| `(streamer\.\w+)` \|", DOCUMENT, re.MULTILINE))
    metadata = pq.read_schema("hierarchy/kitchen.parquet").metadata
    assert {key.decode() for key in metadata} == known - {"streamer.reason"}


def test_commands_are_understood() -> None:
    lines = re.findall(r"^streamer (.*)$", DOCUMENT, re.MULTILINE)
    for line in lines:
        command, *words = line.replace('"', "").split()
        parse(command, words)
    assert len(lines) == 4


def test_linked_documents_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", DOCUMENT):
        assert (PROJECT / "docs" / target).is_file(), target
