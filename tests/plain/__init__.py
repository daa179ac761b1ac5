"""The plain model: the definition that the engine in `streamer/` is held against.

Slow and exact. Each snippet is taken forward by itself: a level encodes its whole working set anew at every
input, keeps autograd's graph of every representation that a prediction may still use, and each loss sends
its gradient back by itself. Nothing is batched, deferred or remembered, so that every line can be compared
with the description of the model.

What the engine does in another way has its own form here: networks, distance, working set, lane, levels,
learner and the model. Only what the engine does not replace is imported from `streamer/`: the
configuration, credit, demarcation, tallies, replicas, hierarchies and errors. Parameters have the same names
and initial values in both.
"""
