"""API names made from labels, as Vault makes them for what is created by label alone."""

from __future__ import annotations

import hashlib
import re
import unicodedata

MAX_STEM = 40
_APART = re.compile(r"[^a-z0-9]+")


def name_of_label(label: str) -> str:
    """``North America`` → ``north_america__c``; a label without Latin letters or digits gets a name of its own."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    stem = _APART.sub("_", plain.lower()).strip("_")[:MAX_STEM].strip("_")
    return f"{stem or 'x' + hashlib.sha256(label.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}__c"
