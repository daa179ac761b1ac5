"""Quality: how well hierarchies agree with the truth of hard streams, beside floors, detectors and baselines."""
