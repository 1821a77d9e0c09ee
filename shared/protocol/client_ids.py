"""Defines the names by which clients of a Vault may identify themselves."""

from __future__ import annotations

import re

CLIENT_ID = re.compile(r"[A-Za-z0-9._\-]{1,100}")
