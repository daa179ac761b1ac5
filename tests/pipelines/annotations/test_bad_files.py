"""Files that are no annotations, or broken ones: one clear line each, whatever is in them."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.annotations import read_truth
from streamer.errors import TruthError
from tests.pipelines.annotations.files import EPIC_100, refusal

PLAIN = "video_id,level,start_s,end_s,label\n"
ROW = (
    "P01_11_0,P01,P01_11,00:00:00.56,00:00:00.00,00:00:01.89,1,113,take plate,take,0,plate,2,['plate'],[2]\n"
)

BAD: dict[str, tuple[str, bytes, str]] = {
    "empty table": ("a.csv", b"", "found none"),
    "blank table": ("a.csv", b"\n\n", "found none"),
    "table in UTF-16": ("a.csv", PLAIN.encode("utf-16"), "is not UTF-8 text"),
    "table in Latin-1": ("a.csv", PLAIN.encode() + b"v,l,0,1,caf\xe9\n", "is not UTF-8 text"),
    "table with tabs": ("a.csv", PLAIN.replace(",", "\t").encode(), "lacks the columns"),
    "header in capitals": ("a.csv", PLAIN.upper().encode(), "lacks the columns"),
    "column twice": ("a.csv", b"video_id,level,start_s,end_s,label,label\n", "more than once"),
    "zero bytes": ("a.csv", b"\0" * 4096, "a.csv: "),
    "video": ("a.csv", b"\x00\x00\x00\x20ftypisom" + b"\xff\xd8" * 99, "is not UTF-8 text"),
    "text in one field": ("a.csv", PLAIN.encode() + b'v,l,0,1,"' + b"x" * 200_000, "is not a readable CSV"),
    "page instead of a file": ("a.csv", b"<!DOCTYPE html>\n<html></html>\n", "lacks the columns"),
    "pointer of Git LFS": ("a.csv", b"version https://git-lfs.github.com/spec/v1\n", "lacks the columns"),
    "header of EPIC alone": ("a.csv", f"{EPIC_100}\n".encode(), "it has no rows"),
    "EPIC cut in a row": ("a.csv", f"{EPIC_100}\nP01_11_0,P01,P01_11,00:00:00".encode(), "1 row left out"),
    "EPIC cut in quotes": ("a.csv", f'{EPIC_100}\n{ROW}P01_11_1,P01,"P01'.encode(), "is not a readable CSV"),
    "EPIC with a bare comma": ("a.csv", f"{EPIC_100}\n{ROW.replace('take plate', 'a,b')}".encode(), "line 2"),
    "EPIC without times": (
        "a.csv",
        f"{EPIC_100.replace('start_t', 'x')}\n{ROW}".encode(),
        "lacks the columns",
    ),
    "EPIC with NaN": ("a.csv", f"{EPIC_100}\n{ROW.replace('00:00:01.89', 'nan')}".encode(), "hours:minutes"),
    "pickle": ("EPIC_100_validation.pkl", b"\x80\x04K\x01.", "take the .csv of the same name"),
    "no Parquet": ("a.parquet", b"PAR1", "is not a readable Parquet file"),
    "empty Parquet": ("a.parquet", b"", "is not a readable Parquet file"),
    "empty JSON": ("a.json", b"", "is not whole JSON"),
    "JSON of COCO": ("a.json", b'{"images": [], "annotations": []}', "found 'images', 'annotations'"),
    "JSON cut off": ("a.json", b'{"videos": [{"video_uid": "u", "segments": [', "is not whole JSON"),
    "JSON in UTF-16": ("a.json", '{"videos": []}'.encode("utf-16"), "is not UTF-8 text"),
    "JSON of videos without steps": ("a.json", b'{"videos": [{"video_uid": "u"}]}', "no video has segments"),
    "JSON of narrations": ("a.json", b'{"u": {"narration_pass_1": {}}}', "found 'u'"),
    "empty text": ("P16_cam01_P16_tea.txt", b"\n \n", "is empty"),
    "text in UTF-16": ("P16_cam01_P16_tea.txt", "SIL\n".encode("utf-16"), "is not UTF-8 text"),
    "prose": ("a.txt", b"Labels per frame of Breakfast.\n", "is no known format"),
    "mapping of classes": ("mapping.txt", b"0 SIL\n1 pour_milk\n", "is no known format"),
    "rows that all end too soon": ("a.txt", b"9,3,cut,1\n8,1,cut,1\n", "holds no events of 50 Salads"),
    "numbers": ("a.txt", b"0\n0\n1\n", "is no known format"),
    "long line": ("a.txt", b"x y " * 100_000, "is no known format"),
    "spreadsheet": ("a.xlsx", b"PK\x03\x04", "not .xlsx"),
}


@pytest.mark.parametrize("case", BAD)
def test_one_line_says_what_is_wrong(tmp_path, case):
    name, content, expected = BAD[case]
    path = tmp_path / name
    path.write_bytes(content)
    message = refusal(path)
    assert expected in message
    assert len(message) < 600 + len(str(path))


@pytest.mark.parametrize("name", ["absent.csv", "absent", ""])
def test_what_is_not_there(tmp_path, name):
    path = tmp_path / "folder" / name
    assert "no such truth file or folder" in refusal(path)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".txt", ".parquet", ""])
@given(content=st.binary(max_size=200))
@example(content=b"SIL\n")
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_read_or_refused(tmp_path_factory, suffix, content):
    path = tmp_path_factory.mktemp("bytes") / f"a{suffix}"
    path.write_bytes(content)
    try:
        assert read_truth(path).videos
    except TruthError:
        refusal(path)


@given(text=st.text(st.sampled_from('{}[]",:0123456789.eE-nulltruefalsevideos_uidsegmntar\n'), max_size=80))
@settings(max_examples=100, deadline=None)
def test_any_text_is_read_or_refused_as_json(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(f'{{"videos": {text}')
    try:
        assert read_truth(path).videos
    except TruthError:
        refusal(path)
