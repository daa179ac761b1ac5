"""Searches over configuration keys: every setting is tried by a training of its own, run by Ray Tune."""
