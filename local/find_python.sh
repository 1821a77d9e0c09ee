#!/bin/sh
# Prints a Python that is new enough.
set -eu
for name in python3 python3.11 python3.12 python3.13; do
  if command -v "$name" >/dev/null 2>&1 &&
    "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    command -v "$name"
    exit 0
  fi
done
echo "Python 3.11 or newer is needed: install the Debian packages 'python3' and 'python3-venv'" >&2
exit 1
