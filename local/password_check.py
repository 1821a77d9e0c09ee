"""Refuses to publish the composed system to other machines while a password is a well-known default.

``python -m local.password_check``; Compose runs it first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from ipaddress import ip_address

KNOWN = "-for-the-laptop"
"""How every default password of the Compose file ends."""


def is_public(address: str) -> bool:
    """Return whether ports at an address can be reached from other machines; a name counts as reachable."""
    try:
        parsed = ip_address(address.strip("[]"))
    except ValueError:
        return True
    return not parsed.is_loopback


def known_passwords(environment: Mapping[str, str]) -> list[str]:
    """Return the names of the variables whose password is a default, in the order of the alphabet."""
    return sorted(
        name
        for name, value in environment.items()
        if name.endswith("_PASSWORD") and value.endswith(KNOWN)
    )


def main() -> int:
    """Return 0 when the system may be published at ``BIND``; else print what prevents it, and return 2."""
    address = os.environ["BIND"]
    names = known_passwords(os.environ)
    if not names or not is_public(address):
        return 0
    print(
        f"BIND={address} publishes the system to other machines, and the passwords of a laptop are known to all."
        f" Set {', '.join(names)}, or leave BIND unset.",
        file=sys.stderr,
    )
    # As a wrong command line: repeating it would not help.
    return 2


if __name__ == "__main__":
    sys.exit(main())
