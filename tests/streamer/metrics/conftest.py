"""Hypothesis for the tests of the metrics."""

from hypothesis import settings

# How long an example takes says nothing about whether it is right, and depends on what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
