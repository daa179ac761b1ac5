"""The stages that run on Ray, from inputs to hierarchies, scores and a tracked run; and the command line."""
