"""Predictors to compare with, which do not learn: blind ones, and ones that look at features or frames."""
