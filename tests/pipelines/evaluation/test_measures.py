"""Values and shares of several draws as one."""

import math

from pipelines.evaluation.measures import Measure, average, of_ratio, rows
from streamer.metrics import Ratio


def test_shares_of_draws_are_pooled_and_other_values_averaged():
    draws = [
        {(0, "f1"): of_ratio(Ratio(1, 2)), (None, "iou"): Measure(0.25)},
        {(0, "f1"): of_ratio(Ratio(3, 6)), (None, "iou"): Measure(0.75)},
        {(0, "f1"): of_ratio(Ratio(5, 10)), (None, "iou"): Measure(0.5)},
    ]
    pooled = average(draws)
    assert pooled[0, "f1"] == Measure(0.5, 3, 6)
    assert pooled[None, "iou"].value == 0.5
    assert not pooled[None, "iou"].is_share


def test_a_value_without_share_in_one_draw_makes_the_mean_of_all():
    assert not average([{"p": of_ratio(Ratio(1, 4))}, {"p": Measure(0.0)}])["p"].is_share
    assert average([{"p": of_ratio(Ratio(1, 4))}, {"p": Measure(0.0)}])["p"].value == 0.125


def test_undefined_stays_undefined():
    assert math.isnan(average([{"p": Measure(math.nan)}] * 2)["p"].value)
    assert math.isnan(average([{"p": of_ratio(Ratio(0, 0))}] * 2)["p"].value)


def test_rows_keep_the_share():
    [row] = rows("v", "streamer", "scene", {(1, "f1"): of_ratio(Ratio(1, 4))})
    assert (row.level, row.metric, row.value, row.numerator, row.denominator) == (1, "f1", 0.25, 1, 4)
