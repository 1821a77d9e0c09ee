"""The plan of additions: which become new attachments, which new versions, and which add nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.vault.files.attachment_model import Addition, StoredAttachment, plan

REPORT = Addition("R1", "report.pdf", "aa", "first")
STORED = StoredAttachment(7, "R1", "report.pdf", 3, 2, "bb", "stored")


def test_a_new_name_makes_a_new_attachment() -> None:
    (step,) = plan([REPORT], [], iter([41]))
    assert step.after == StoredAttachment(41, "R1", "report.pdf", 1, 1, "aa", "first")
    assert step.before is None
    assert step.added


def test_a_known_name_gets_a_version_above_every_number_it_has_had() -> None:
    # Version 3 was deleted: its number never comes again.
    (step,) = plan([REPORT], [STORED], iter([41]))
    assert step.after == StoredAttachment(7, "R1", "report.pdf", 4, 4, "aa", "first")
    assert step.before == STORED


def test_a_version_without_a_description_keeps_the_one_before() -> None:
    (step,) = plan([replace(REPORT, description=None)], [STORED], iter([41]))
    assert step.after.description == "stored"


def test_the_same_bytes_add_nothing_under_whichever_name() -> None:
    same = Addition("R1", "other.pdf", "bb")
    (step,) = plan([same], [STORED], iter([41]))
    assert not step.added
    assert step.after == STORED


def test_the_same_bytes_of_another_record_are_added() -> None:
    (step,) = plan([Addition("R2", "report.pdf", "bb")], [STORED], iter([41]))
    assert step.added
    assert step.after.record_id == "R2"


def test_a_version_is_restored_although_another_attachment_has_its_bytes() -> None:
    other = StoredAttachment(8, "R1", "copy.pdf", 1, 1, "aa", None)
    restored = Addition("R1", "report.pdf", "aa", restored=True)
    (step,) = plan([restored], [STORED, other], iter([41]))
    assert step.added
    assert step.after.id == STORED.id


def test_restoring_the_latest_version_adds_nothing() -> None:
    restored = Addition("R1", "report.pdf", "bb", restored=True)
    (step,) = plan([restored], [STORED], iter([41]))
    assert not step.added


def test_two_files_of_one_name_in_one_call_are_two_versions() -> None:
    again = replace(REPORT, sha256="cc")
    first, second = plan([REPORT, again], [], iter([41, 42]))
    assert (first.after.id, first.after.version) == (41, 1)
    assert (second.after.id, second.after.version) == (41, 2)
    assert second.before == first.after


def test_bytes_that_a_new_version_replaced_are_added_again() -> None:
    replaced = replace(REPORT, sha256="cc")
    steps = plan([REPORT, replaced, REPORT], [], iter([41, 42, 43]))
    assert [step.added for step in steps] == [True, True, True]
    assert steps[-1].after.version == 3


ADDITIONS = st.lists(
    st.builds(
        Addition,
        record_id=st.sampled_from(["R1", "R2"]),
        filename=st.sampled_from(["a", "b"]),
        sha256=st.sampled_from(["x", "y", "z"]),
        restored=st.booleans(),
    ),
    max_size=12,
)


@given(ADDITIONS)
def test_versions_of_an_attachment_are_numbered_without_a_gap(
    additions: list[Addition],
) -> None:
    steps = plan(additions, [], iter(range(1, 99)))
    numbers: dict[int, list[int]] = {}
    for step in steps:
        if step.added:
            numbers.setdefault(step.after.id, []).append(step.after.version)
    assert len(steps) == len(additions)
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())


@given(ADDITIONS)
def test_the_bytes_of_every_addition_are_the_latest_of_some_attachment_then(
    additions: list[Addition],
) -> None:
    steps = plan(additions, [], iter(range(1, 99)))
    assert len(steps) == len(additions)
    for step in steps:
        assert step.after.sha256 == step.addition.sha256
        assert step.after.record_id == step.addition.record_id
