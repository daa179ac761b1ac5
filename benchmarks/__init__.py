"""What this software costs: CPU seconds, wall time and memory of its parts."""
