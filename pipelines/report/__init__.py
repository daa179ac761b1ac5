"""The report: one folder of pages in which a run, or two, can be looked at without a network."""
