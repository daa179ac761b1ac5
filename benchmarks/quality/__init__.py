"""Quality: agreement of hierarchies with known events, beside floors, detectors and baselines."""
