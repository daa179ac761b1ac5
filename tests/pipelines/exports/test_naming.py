from pipelines.exports.naming import event_names
from tests.streamer.test_hierarchy import small


def test_without_annotations_events_are_named_by_their_place():
    assert event_names(small(), [1], {}) == {1: ["L1 e0 00:00.0", "L1 e1 00:02.5"]}


def test_the_longest_overlap_names_an_event():
    truth = {"fine": [(0.0, 0.9, "short"), (0.9, 2.0, "long"), (4.5, 9.0, "late")]}
    # Events: [0, 1), [1, 2.5), [2.5, 4), [4, 5).
    assert event_names(small(), [0], truth)[0] == ["short", "long", "L0 e2 00:02.5", "late"]


def test_of_equal_overlaps_the_shortest_annotation_names_an_event():
    truth = {"coarse": [(0.0, 5.0, "all")], "fine": [(0.0, 2.5, "half")]}
    names = event_names(small(), [0, 1], truth)
    assert names == {0: ["half", "half", "all", "all"], 1: ["half", "all"]}


def test_labels_stand_on_one_line_and_empty_ones_name_nothing():
    truth = {"x": [(0.0, 2.5, " cut\nopen "), (2.5, 5.0, " ")]}
    assert event_names(small(), [1], truth)[1] == ["cut open", "L1 e1 00:02.5"]


def test_touching_is_no_overlap():
    assert event_names(small(), [1], {"x": [(2.5, 5.0, "b")]})[1] == ["L1 e0 00:00.0", "b"]
