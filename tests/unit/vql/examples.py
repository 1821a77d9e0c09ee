"""The number of examples in the property tests of VQL; HYPOTHESIS_EXAMPLES in the environment raises it."""

from __future__ import annotations

import os

from hypothesis import settings

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "100"))

many = settings(max_examples=EXAMPLES, deadline=None)
