"""Declares the parameters by which callers choose a page of a list."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

MAX_OFFSET = 2**31

Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]
# The largest page of most lists; Vault API reference, the parameter ``limit`` of each call.
PageSize = Annotated[int, Query(ge=1, le=1000)]
