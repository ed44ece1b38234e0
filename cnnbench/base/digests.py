"""What short text names a value, so that equal values have equal names?"""

from __future__ import annotations

import hashlib
import json


def digest_of(value: object) -> str:
    """Return ten hex digits that name a JSON-able value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
