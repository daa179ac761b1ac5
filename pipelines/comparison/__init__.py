"""Several runs side by side: their scores on the videos that all of them have, and what tells them apart."""
