"""How many examples the property tests of VQL try: HYPOTHESIS_EXAMPLES in the environment asks for more."""

from __future__ import annotations

import os

from hypothesis import settings

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "100"))

many = settings(max_examples=EXAMPLES, deadline=None)
