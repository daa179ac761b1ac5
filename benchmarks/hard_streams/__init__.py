"""Hard streams: rendered videos whose nested events are known to the frame, made to be hard to segment."""
