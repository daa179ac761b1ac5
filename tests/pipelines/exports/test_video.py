from hypothesis import given, settings

from tests.pipelines.exports.material import exported, videos
from tests.streamer.test_hierarchy import small


@given(videos())
@settings(deadline=None, max_examples=60)
def test_parents_are_those_of_the_events_table(video):
    table = video.hierarchy.to_arrow().to_pydict()
    for level in range(video.hierarchy.num_levels):
        column = [parent for parent, of in zip(table["parent"], table["level"], strict=True) if of == level]
        assert video.parents(level) == column


def test_one_level_of_a_video_has_the_same_times():
    video = exported(small(), start_s=2.0)
    assert video.at(1).levels == (1,)
    assert video.at(1).player_ms == video.player_ms == {0: 2000, 1: 3000, 2.5: 4500, 4: 6000, 5: 7000}
