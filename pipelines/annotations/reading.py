"""Reads annotations in any known format; the content tells which it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.annotations.breakfast import BREAKFAST
from pipelines.annotations.epic_kitchens import IDENTIFIERS, REQUIRED, is_epic_kitchens, read_epic_kitchens
from pipelines.annotations.fifty_salads import FIFTY_SALADS
from pipelines.annotations.frame_files import SUFFIXES, read_frame_file, read_frame_folder
from pipelines.annotations.goal_step import read_goal_step
from pipelines.annotations.plain import COLUMNS, read_plain
from pipelines.annotations.truth import Truth
from pipelines.tables import column_names
from streamer.errors import TruthError

FRAME_DATASETS = (BREAKFAST, FIFTY_SALADS)
BESIDE = ("truth.csv", "truth.parquet")


def read_truth(path: str | Path) -> Truth:
    """Reads annotated events.

    Args:
        path: this project's table (`video_id, level, start_s, end_s, label` as .csv or .parquet), a .csv of
            EPIC-KITCHENS-100 or -55, a .json of Ego4D Goal-Step, or a text file or a folder of text files
            of Breakfast or 50 Salads.

    Returns:
        The annotations, under the ids that the files have.

    Raises:
        TruthError: there is no such file, it cannot be read, is of no known format or could be of several,
            or no event in it can be used; and in this project's format, any faulty row.
    """
    if str(path) == "":
        raise TruthError("--truth is empty: name a file or folder of annotations")
    path = Path(path)
    if path.is_dir():
        return read_frame_folder(path, FRAME_DATASETS)
    if not path.is_file():
        raise TruthError(f"{path}: no such truth file or folder; check the spelling")
    suffix = path.suffix.lower()
    if suffix in (".csv", ".parquet"):
        return _read_table(path)
    if suffix == ".json":
        return read_goal_step(path)
    if suffix in SUFFIXES:
        return read_frame_file(path, FRAME_DATASETS)
    instead = "take the .csv of the same name" if suffix == ".pkl" else "give one of these"
    raise TruthError(
        f"{path}: annotations are .csv, .parquet, .json or .txt files, or a folder of .txt files, not "
        f"{path.suffix}; {instead}"
    )


def truth_beside(inputs: Iterable[str]) -> Path | None:
    """The annotations in the first of the input folders that has any, under the name that is looked for."""
    places = (Path(folder) / name for folder in inputs for name in BESIDE)
    return next((path for path in places if path.is_file()), None)


def _listed(columns: Sequence[str]) -> str:
    """Names of columns for a message, however many and long they are."""
    shown = [repr(name if len(name) <= 24 else f"{name[:24]}...") for name in columns[:12]]
    return ", ".join([*shown, "..."] if len(columns) > len(shown) else shown) or "none"


def _read_table(path: Path) -> Truth:
    columns = column_names(path, error=TruthError)
    missing = [name for name in COLUMNS if name not in columns]
    epic = is_epic_kitchens(columns)
    if not missing and epic:
        raise TruthError(
            f"{path}: has both the columns {', '.join(COLUMNS)} and those of EPIC-KITCHENS; remove "
            f"{REQUIRED[1]} or {COLUMNS[2]}"
        )
    if epic:
        return read_epic_kitchens(path)
    if missing:
        raise TruthError(
            f"{path}: lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)} of "
            f"{', '.join(COLUMNS)}, and is no table of EPIC-KITCHENS ({', '.join(REQUIRED)}, and "
            f"{' or '.join(IDENTIFIERS)}); found {_listed(columns)}"
        )
    return read_plain(path)
