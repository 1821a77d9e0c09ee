"""Checks the health of a container: exits 0 when the address in its argument answers 200."""

import sys
import urllib.error
import urllib.request

_TIMEOUT = 8.0


def main() -> int:
    """Call the address in the first argument; return 0 when it answers 200."""
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=_TIMEOUT) as answer:  # noqa: S310 - the address is in our compose file  # nosec B310
            return 0 if answer.status == 200 else 1
    except urllib.error.HTTPError as error:
        # The reasons of a service that is not ready belong in the container's health log.
        print(error.read(1000).decode("utf-8", "replace"))
        return 1
    except OSError as error:
        print(type(error).__name__)
        return 1


if __name__ == "__main__":
    sys.exit(main())
