"""The command from end to end: what it prints, what it writes, what it leaves alone."""

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipelines.cli import main
from pipelines.comparison.files import COMPARISON_SCHEMA
from pipelines.store import HierarchyStore
from tests.pipelines.comparison.scored_runs import VIDEOS, simple_run, values_of
from tests.pipelines.finished_run import files_below, make_hierarchy, make_run, write_truth

SHIFTED = ((0.0, 3.0, 5.0, 6.0, 9.0, 12.0), (0.0, 3.0, 6.0, 12.0), (0.0, 6.0))


@pytest.fixture
def out(tmp_path, store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    return tmp_path / "out"


def test_a_table_is_printed_and_written(tmp_path, out, capsys):
    folders = [simple_run(tmp_path / name, seed) for seed, name in enumerate("ab")]
    before = files_below(tmp_path)
    assert main(["compare", *(str(folder.root) for folder in folders), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Against the annotated level 'scene', 8 videos" in printed
    assert "All runs read the same 8 inputs." in printed
    assert f"page     {out}/comparison.md" in printed
    assert "MLflow   " in printed
    assert sorted(path.name for path in out.iterdir()) == ["comparison.md", "comparison.parquet"]
    assert pq.read_schema(out / "comparison.parquet") == COMPARISON_SCHEMA
    values = pd.read_parquet(out / "comparison.parquet").set_index("column")["value"]
    assert values["b"] == pytest.approx(sum(values_of(1).values()) / len(VIDEOS))
    after = files_below(tmp_path)
    assert {name: content for name, content in after.items() if not name.startswith("out/")} == before


def test_the_same_again_replaces_its_own_files_alone(tmp_path, out):
    words = [
        "compare",
        *(str(simple_run(tmp_path / n, s).root) for s, n in enumerate("abc")),
        "--out",
        str(out),
    ]
    assert main(words) == 0
    first = files_below(out)
    (out / "notes.txt").write_text("mine")
    assert main(words) == 0
    assert files_below(out) == {**first, "notes.txt": b"mine"}
    assert main([*words, "--reference", "c"]) == 0
    assert pd.read_parquet(out / "comparison.parquet")["reference"].unique().tolist() == ["c"]
    assert (out / "notes.txt").read_text() == "mine"


def test_all_runs_are_scored_now_where_there_is_a_truth(tmp_path, out, capsys):
    """One holds the annotated boundaries, the other has moved one of them."""
    exact, moved = make_run(tmp_path / "exact"), make_run(tmp_path / "moved", ["a", "b", "c"])
    for name in ("a", "b", "c"):
        HierarchyStore(moved, {}, signals=False).write(make_hierarchy(name, SHIFTED), [])
    events = [(0, 2), (2, 6), (6, 12), (12, 20)]
    truth = write_truth(
        tmp_path / "truth.csv", *(f"{v},scene,{start},{end},s" for v in "abcd" for start, end in events)
    )
    before = {**files_below(exact.root), **files_below(moved.root)}
    words = ["compare", str(exact.root), str(moved.root), "--truth", str(truth), "--out", str(out)]
    assert main(words) == 0
    assert {**files_below(exact.root), **files_below(moved.root)} == before
    printed = capsys.readouterr().out
    assert "exact: 2 annotated videos without scores: c, d" in printed
    assert "moved: 1 annotated video without scores: d" in printed
    assert "moved: 1 scored video left out, not in all runs: c" in printed
    table = pd.read_parquet(out / "comparison.parquet").query(
        "metric == 'boundary_f1@0.5s' and selection == 'best'"
    )
    table = table.query("aggregate == 'mean'").set_index("column")
    assert table.loc["exact", "value"] == 1
    assert table.loc["moved", "value"] < 1
    assert (table.loc["moved", "losses"], table.loc["moved", "pairs"]) == (2, 2)


def test_help_names_the_options(capsys):
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    assert "--reference" in capsys.readouterr().out
