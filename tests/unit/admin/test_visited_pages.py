"""Every page is looked at by a browser: a new one that no test opens, and that has no reason for it, is found here."""

from __future__ import annotations

from tests.system.visited_pages import (
    ADDRESSES,
    ELSEWHERE,
    LEFT_OUT,
    LINKED,
    MADE,
    route_of,
    routes,
)

OPENED = {route_of(each) for pages in ADDRESSES.values() for each in pages}
FOUND = {each.route for each in LINKED} | set(MADE)


def test_every_page_is_looked_at_or_left_out_with_a_reason() -> None:
    served = {route.path for route in routes()}
    looked_at = OPENED | FOUND | ELSEWHERE.keys()
    assert served - looked_at - LEFT_OUT.keys() == set()
    # Nothing is left of pages that are gone, and no reason of one that is looked at.
    assert (looked_at | LEFT_OUT.keys()) - served == set()
    assert looked_at & LEFT_OUT.keys() == set()


def test_a_page_is_found_on_one_that_is_looked_at_before() -> None:
    known = set(OPENED)
    for each in LINKED:
        on = route_of(each.on) if each.on.startswith("/ui/") else each.on
        assert on in known, each
        known.add(each.route)
