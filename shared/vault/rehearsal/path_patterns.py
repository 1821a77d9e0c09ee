"""Matches the paths of calls, and the names of queues, against patterns in time that grows with their length."""

from __future__ import annotations

from dataclasses import dataclass

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

MAX_LENGTH = 200
ANY = "*"
ANY_REST = "**"
REST_PARAMETER = ":path}"


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A path whose segments may each contain one ``*``, for any text; ``**`` at the end stands for any rest or none."""

    text: str
    segments: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> PathPattern:
        """Return the pattern that a text writes.

        :raises VaultFault: INVALID_DATA when it does not begin with a slash, is too long, or has stars elsewhere.
        """
        if not text.startswith("/") or len(text) > MAX_LENGTH or not text.isprintable():
            raise _malformed(
                f"[path] begins with / and has at most {MAX_LENGTH} characters"
            )
        segments = tuple(text.removeprefix("/").split("/"))
        fixed = segments[:-1] if segments[-1] == ANY_REST else segments
        # More than one star in a segment would have to be tried at every place of every other.
        if any(segment.count(ANY) > 1 for segment in fixed):
            raise _malformed(
                "[path] has at most one * in each segment, and ** only as its last one"
            )
        return cls(text, segments)

    def matches(self, path: str) -> bool:
        """Return whether a path matches the pattern."""
        parts = path.removeprefix("/").split("/")
        wanted = self.segments
        if wanted[-1] == ANY_REST:
            wanted = wanted[:-1]
            parts = parts[: len(wanted)]
        if len(parts) != len(wanted):
            return False
        return all(map(segment_matches, wanted, parts))

    def reaches(self, template: str) -> bool:
        """Return whether the pattern matches any path of a route, whose parameters are in braces."""
        wanted = self.segments
        parts = template.removeprefix("/").split("/")
        for place, (pattern, part) in enumerate(zip(wanted, parts, strict=False)):
            if pattern == ANY_REST and place == len(wanted) - 1:
                return True
            if part.endswith(REST_PARAMETER):
                return True
            # A parameter may be any text.
            if "{" not in part and not segment_matches(pattern, part):
                return False
        # Two stars may stand for no segment at all.
        fixed = wanted[:-1] if wanted[-1] == ANY_REST else wanted
        return len(parts) == len(fixed)

    def names(self, path: str) -> bool:
        """Return whether the pattern matches a path, and has its last segment without a ``*``."""
        return ANY not in self.segments[-1] and self.matches(path)


def segment_matches(pattern: str, text: str) -> bool:
    """Return whether a text matches a pattern with at most one ``*``."""
    head, star, tail = pattern.partition(ANY)
    if not star:
        return text == pattern
    fits = len(text) >= len(head) + len(tail)
    return fits and text.startswith(head) and text.endswith(tail)


def _malformed(message: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, message)
