"""Files that inputs are found in."""

from pathlib import Path


def touch(*paths: Path) -> None:
    """Makes files that nothing can be read from: enough where only finding and naming matter."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def write_manifest(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
