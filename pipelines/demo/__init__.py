"""The demonstration: a rendered corpus of real video files whose nested events are known exactly."""
