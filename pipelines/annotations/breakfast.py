"""Breakfast: a text file per video, one label per frame or one row `first-last label` per event.

The first form is that of the released features and of MS-TCN, the second (`segmentation_coarse`) that of the
dataset itself. Videos have 15 frames per second; frames of rows count from 1, the last one included.
"""

import re

from pipelines.annotations.frame_files import FrameDataset

BREAKFAST = FrameDataset(
    name="Breakfast",
    fps=15.0,
    background=frozenset({"SIL"}),
    file_name=re.compile(r"P\d+_(?:cam|webcam|stereo)\d+_P\d+_\w+"),
    row=re.compile(r"(?P<first>\d{1,9})-(?P<last>\d{1,9})\s+(?P<label>\S+)"),
    form="rows `first-last label`, or a label per line with SIL among them or in files such as "
    "P16_cam01_P16_tea.txt",
)
