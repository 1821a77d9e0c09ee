"""Lists the features of the public API that a Vault does not have, with the paths of their calls."""

from __future__ import annotations

from dataclasses import dataclass

ANY = "*"
"""Stands for one segment of a path, whatever it is."""

DOCUMENT = ("objects", "documents", ANY)
DOCUMENT_VERSION = (*DOCUMENT, "versions", ANY, ANY)
SIGNATURES = ("relationships", "document_signature__sysr")


@dataclass(frozen=True, slots=True)
class AbsentFeature:
    """A feature that a Vault does not have: the reason in one line, and the prefixes of its calls' paths."""

    name: str
    reason: str
    paths: tuple[tuple[str, ...], ...]

    @property
    def message(self) -> str:
        """Return the message of the error that answers calls of the feature."""
        return f"{self.name} are not part of this Vault: {self.reason}"


FEATURES = (
    AbsentFeature(
        "Binders",
        "the connection transfers records and single documents",
        (("objects", "binders"), ("metadata", "objects", "binders")),
    ),
    AbsentFeature(
        "Sandboxes",
        "a Vault here is one domain by itself; start another system instead",
        (("objects", "sandbox"),),
    ),
    AbsentFeature(
        "Expected document lists",
        "they belong to applications other than MedInquiry and CRM",
        (
            ("objects", "edl_matched_documents"),
            ("composites", "trees"),
            ("vobjects", "edl_item__v", "actions"),
        ),
    ),
    AbsentFeature(
        "Annotations",
        "documents have no viewer here in which one could annotate them",
        (
            ("objects", "documents", "annotations"),
            ("metadata", "objects", "documents", "annotations"),
            (*DOCUMENT, "annotations"),
            (*DOCUMENT, "anchors"),
            (*DOCUMENT_VERSION, "annotations"),
            (*DOCUMENT_VERSION, "doc-export-annotations-to-csv"),
            (*DOCUMENT_VERSION, "export-video-annotations"),
        ),
    ),
    AbsentFeature(
        "Sessions of collaborative authoring",
        "documents are checked out one by one, and the lock of one is removed by itself",
        (("objects", "documents", "batch", "lock"),),
    ),
    AbsentFeature(
        "Made renditions",
        "nothing here renders files; renditions and thumbnails are those that were uploaded",
        (
            (*DOCUMENT_VERSION, "thumbnail"),
            ("objects", "documents", "batch", "actions", "rerender"),
        ),
    ),
    AbsentFeature(
        "Electronic signatures",
        "no step of the connection is signed",
        (
            ("metadata", "query", "documents", *SIGNATURES),
            ("metadata", "query", "archived_documents", *SIGNATURES),
        ),
    ),
    AbsentFeature(
        "Controlled copies",
        "they belong to applications other than MedInquiry and CRM",
        (("objects", "documents", "actions", ANY, ANY, "results"),),
    ),
    AbsentFeature(
        "Bulk translations",
        "labels and messages are English",
        (
            ("messages",),
            ("services", "jobs", ANY, "summary"),
            ("services", "jobs", ANY, "errors"),
        ),
    ),
    AbsentFeature(
        "Comparisons of Vaults and configuration reports",
        "`medcrm config` compares two configurations",
        (
            ("objects", "vault", "actions", "compare"),
            ("objects", "vault", "actions", "configreport"),
        ),
    ),
    AbsentFeature(
        "Vault Java SDK programs and client code",
        "a Vault here runs no code of its customers",
        (("code",), ("logs", "code"), ("uicode",)),
    ),
    AbsentFeature(
        "Calls of single applications",
        "a Vault here has MedInquiry or CRM",
        (("app",), ("objects", "documents", "milestones")),
    ),
)


def absent_feature(path: str) -> AbsentFeature | None:
    """Return the feature that a path below ``/api/{version}`` would call, or None.

    The path begins with ``/api/`` and a version, as in ``/api/v25.1/objects/binders/12``.
    """
    segments = path.split("/")[3:]
    for feature in FEATURES:
        if any(_begins(segments, beginning) for beginning in feature.paths):
            return feature
    return None


def _begins(segments: list[str], beginning: tuple[str, ...]) -> bool:
    if len(segments) < len(beginning):
        return False
    pairs = zip(segments, beginning, strict=False)
    return all(wanted in (ANY, segment) for segment, wanted in pairs)
