"""The settings of pip that are passed to uv, and the part of the lock that contains uv."""

from __future__ import annotations

import pytest

from local.packages import pip_settings, requirement, uv_environment

LISTING = """\
:env:.cert='/etc/env.pem'
global.cert='/etc/global.pem'
global.extra-index-url='file:///one file:///two'
global.find-links='/a\\n/b'
global.index-url='https://global.example/simple'
install.index-url='https://install.example/simple'
freeze.timeout='10'
"""


def test_the_section_of_the_command_then_the_environment_hold() -> None:
    assert pip_settings(LISTING) == {
        "cert": "/etc/env.pem",
        "extra-index-url": "file:///one file:///two",
        "find-links": "/a\n/b",
        "index-url": "https://install.example/simple",
    }


def test_uv_uses_the_indexes_of_pip() -> None:
    assert uv_environment(pip_settings(LISTING), {"PATH": "/bin"}) == {
        "PATH": "/bin",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "https://install.example/simple",
        "UV_INDEX": "file:///one file:///two",
        "UV_FIND_LINKS": "/a,/b",
        "SSL_CERT_FILE": "/etc/env.pem",
    }


def test_what_is_set_for_uv_goes_before() -> None:
    environment = {"UV_DEFAULT_INDEX": "https://uv.example/simple"}
    told = uv_environment({"index-url": "https://pip.example/simple"}, environment)
    assert told["UV_DEFAULT_INDEX"] == "https://uv.example/simple"


def test_one_package_is_cut_out_of_the_lock_with_its_hashes() -> None:
    entry = "uv==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n"
    lock = f"aa==1 \\\n    --hash=sha256:1\n{entry}uv-more==4 \\\n    --hash=sha256:4\n"
    assert requirement(lock, "uv") == entry
    with pytest.raises(LookupError, match="nothing"):
        requirement(lock, "nothing")
