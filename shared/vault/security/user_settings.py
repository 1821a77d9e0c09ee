"""Checks the settings of a user that name a time zone, a locale or a language."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from functools import cache

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError

TIME_ZONE = "timezone__sys"
# A language, and a script, country or variant: en, en_US, zh_Hant_TW.
CODE = re.compile(r"[a-z]{2,3}(?:[_-][A-Za-z0-9]{2,8}){0,2}")
CODES = ("locale__sys", "language__sys")


def invalid_setting(values: Mapping[str, object]) -> ApiError | None:
    """Return the error of the first setting that names no time zone, locale or language; None if there is none."""
    zone = values.get(TIME_ZONE)
    if zone and not _is_time_zone(str(zone)):
        message = f"[{TIME_ZONE}] takes a time zone, such as America/New_York"
        return ApiError(ErrorType.INVALID_DATA, message)
    for name in CODES:
        code = values.get(name)
        if code and not CODE.fullmatch(str(code)):
            message = f"[{name}] takes a code, such as en or en_US"
            return ApiError(ErrorType.INVALID_DATA, message)
    return None


def _is_time_zone(name: str) -> bool:
    # A machine without the database of time zones knows no name to compare with.
    known = _time_zones()
    return not known or name in known


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
