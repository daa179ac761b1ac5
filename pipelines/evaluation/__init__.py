"""Scores of hierarchies against annotations, beside blind floors."""
