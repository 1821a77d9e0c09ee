"""Defines by what names clients of a Vault may call themselves."""

from __future__ import annotations

import re

CLIENT_ID = re.compile(r"[A-Za-z0-9._\-]{1,100}")
