"""The digest of a window as docs/FORECASTING.md defines it, written out: sha256 over one sha256 a session."""

import hashlib
from itertools import groupby

from stages.questions.window import Window


def digest_of(window: Window) -> str:
    """The first row's own return is in no `y`: its session counts, with one return less."""
    contents = [n.to_bytes(8, "little", signed=True) for n in window.returns.tolist()]
    rows = zip(window.session.tolist(), [b"", *contents[1:]], strict=True)
    sessions = [b"".join(content for _, content in part) for _, part in groupby(rows, key=lambda row: row[0])]
    return hashlib.sha256(b"".join(hashlib.sha256(session).digest() for session in sessions)).hexdigest()
