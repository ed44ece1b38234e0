"""What short text names a content, so that equal contents have equal names?"""

import hashlib
import json
from pathlib import Path

__all__ = ["digest_of", "sha256_of"]


def digest_of(value: object) -> str:
    """Return ten hex digits that name a JSON-able value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256_of(text.encode())[:10]


def sha256_of(content: Path | bytes | memoryview) -> str:
    """Return the sha256 hex of bytes in memory or of a file, which is read piece by piece."""
    if not isinstance(content, Path):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
