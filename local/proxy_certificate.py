"""Provides the certificate of the Compose file's proxy: the operator's own, or one that is made for localhost.

``python -m local.proxy_certificate FOLDER``; ``TLS_CERTIFICATE`` and ``TLS_KEY`` name the files in the folder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from local.tls import LocalTls
from shared.runtime.process import TlsListener

HTTPS = 443  # of no meaning: nothing listens here


def main(folder: Path) -> int:
    """Return 0 when the folder has a usable certificate; else print what is wrong, and return 2."""
    made = LocalTls(folder)
    certificate = folder / os.environ["TLS_CERTIFICATE"]
    key = folder / os.environ["TLS_KEY"]
    try:
        if (certificate, key) == (made.certificate, made.key):
            made.ensure()
        TlsListener(HTTPS, certificate, key).context()
    except OSError as error:
        print(
            f"TLS_CERTIFICATE and TLS_KEY must be a certificate and its key, in PEM, in TLS_DIRECTORY,"
            f" which user 10001 can read: {error.strerror or error}",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
