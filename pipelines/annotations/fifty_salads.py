"""50 Salads: a text file per video, one row `first,last,label,id` per event or one label per frame.

Videos have 30 frames per second; frames of rows count from 1, the last one included.
"""

import re

from pipelines.annotations.frame_files import FrameDataset

FIFTY_SALADS = FrameDataset(
    name="50 Salads",
    fps=30.0,
    background=frozenset({"action_start", "action_end"}),
    file_name=re.compile(r"rgb-\d{2}-\d"),
    row=re.compile(r"(?P<first>\d{1,9}),\s*(?P<last>\d{1,9}),\s*(?P<label>[^,]*[^,\s])(?:,.*)?"),
    form="rows `first,last,label,id`, or a label per line with action_start among them or in files such as "
    "rgb-01-1.txt",
)
