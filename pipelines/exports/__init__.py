"""Hierarchies in the files of other tools, and events as videos of their own."""
