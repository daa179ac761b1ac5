from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from pympi.Elan import Eaf

from pipelines.exports.elan import elan
from tests.pipelines.exports.material import HOSTILE, IN_FOLDER, MADE, exported, videos
from tests.streamer.test_hierarchy import small


def read(path: Path, content: bytes) -> Eaf:
    path.write_bytes(content)
    return Eaf(path)


@given(videos())
@IN_FOLDER
def test_a_reader_gives_back_tiers_times_and_names(tmp_path, video):
    eaf = read(tmp_path / "x.eaf", elan(video, tmp_path))
    assert list(eaf.get_tier_names()) == [f"level {level}" for level in reversed(video.levels)]
    for level in video.levels:
        assert eaf.get_annotation_data_for_tier(f"level {level}") == [
            (video.player_ms[event.start_s], video.player_ms[event.end_s], name)
            for event, name in zip(video.hierarchy.levels[level], video.names[level], strict=True)
        ]


@given(videos())
@IN_FOLDER
def test_levels_are_nested_tiers_that_share_time_slots(tmp_path, video):
    root = ElementTree.fromstring(elan(video, tmp_path))
    slots = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE", "")) for slot in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    types = {kind.get("LINGUISTIC_TYPE_ID"): kind.get("CONSTRAINTS") for kind in root.iter("LINGUISTIC_TYPE")}
    parent, used = None, set()
    for tier in root.iter("TIER"):
        annotations = [
            (a.get("TIME_SLOT_REF1"), a.get("TIME_SLOT_REF2")) for a in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        used |= {slot for annotation in annotations for slot in annotation}
        assert tier.get("PARENT_REF") == (None if parent is None else parent[0])
        kind = types[tier.get("LINGUISTIC_TYPE_REF")]
        if parent is None:
            assert kind is None
            assert len({slot for annotation in annotations for slot in annotation}) == 2 * len(annotations)
        else:
            assert kind == "Time_Subdivision"
            starts, ends = {a[0] for a in annotations}, {a[1] for a in annotations}
            assert {a[0] for a in parent[1]} <= starts
            assert {a[1] for a in parent[1]} <= ends
            open_ends = {a[1] for a in parent[1]}
            for before, after in pairwise(annotations):
                assert before[1] == after[0] or before[1] in open_ends
        parent = (tier.get("TIER_ID"), annotations)
    assert used == set(slots)


def test_the_recording_is_linked_as_elan_reads_it(tmp_path):
    video = exported(small(), uri=str(tmp_path / "a b#%20.mp4"))
    eaf = read(tmp_path / "x.eaf", elan(video, tmp_path / "exports"))
    (link,) = eaf.get_linked_files()
    assert link["MEDIA_URL"] == f"file://{tmp_path}/a b#%20.mp4"
    assert link["RELATIVE_MEDIA_URL"] == "../a b#%20.mp4"
    assert link["MIME_TYPE"] == "video/mp4"
    assert eaf.adocument["DATE"] == MADE


def test_vectors_have_no_recording_and_addresses_no_relative_link(tmp_path):
    bare = read(tmp_path / "x.eaf", elan(exported(small(), is_video=False), tmp_path))
    assert bare.get_linked_files() == []
    remote = read(tmp_path / "y.eaf", elan(exported(small(), uri="http://host/a.mkv"), tmp_path))
    (link,) = remote.get_linked_files()
    assert link["MEDIA_URL"] == "http://host/a.mkv"
    assert "RELATIVE_MEDIA_URL" not in link


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_paths_leave_the_file_readable(tmp_path, text):
    read(tmp_path / "x.eaf", elan(exported(small(), uri=f"/data/{text}.mp4"), tmp_path))


def test_the_same_hierarchy_gives_the_same_bytes(tmp_path):
    assert elan(exported(small()), tmp_path) == elan(exported(small()), tmp_path)
