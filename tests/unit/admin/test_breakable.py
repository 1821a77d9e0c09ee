"""Where lines may break within long names and keys."""

from __future__ import annotations

import pytest

from shared.vault.admin.rendering import breakable


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("medical_inquiries__v", "medical_<wbr>inquiries__v"),
        ("V0D0000:V4T0000:V0G0000", "V0D0000:<wbr>V4T0000:<wbr>V0G0000"),
        ("at 16:28, https://x", "at 16:28, https://x"),
        ("Reason: <b> & 'c'", "Reason: &lt;b&gt; &amp; &#39;c&#39;"),
    ],
)
def test_lines_break_within_names(text: str, html: str) -> None:
    assert breakable(text) == html
