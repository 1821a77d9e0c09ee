"""The examples in the guide of the API work as the page says, pasted one after the other."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.service.vault import inquiring
from tests.service.vault.inquiring import Crm
from tests.service.vault.served import USERNAMES
from tests.service.vault.test_examples import printed

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "api.md"
CHAPTER = re.compile(r"^### (.+)$", re.MULTILINE)
EXAMPLE = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Response packages are made in the Medical Vault; these examples are pasted at a Vault CRM.
WITHOUT = {"Limits and headers", "Outside the API", "Response packages"}

crm = inquiring.crm


def chapters() -> dict[str, str]:
    """The examples of each chapter of calls."""
    calls, _, _ = GUIDE.read_text(encoding="utf-8").partition("\n## Answers")
    _, *parts = CHAPTER.split(calls)
    texts = zip(parts[::2], parts[1::2], strict=True)
    return {title: "".join(EXAMPLE.findall(text)) for title, text in texts}


def test_every_chapter_has_an_example() -> None:
    lacking = {title for title, example in chapters().items() if not example}
    assert lacking == WITHOUT


async def test_what_is_pasted_succeeds(crm: Crm, tmp_path: Path) -> None:
    script = tmp_path / "pasted.sh"
    script.write_text("set -euo pipefail\n" + "".join(chapters().values()))
    await crm.admin.post("/vobjects/account__v", json=[{"name__v": "Another reader"}])
    out = await printed(
        crm, ("bash", str(script)), tmp_path, username=USERNAMES["admin"]
    )
    answers = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert len(answers) > len(chapters())
    # A resource of SCIM is no envelope; a refusal of it is one.
    assert [
        answer
        for answer in answers
        if answer.get("responseStatus", "SUCCESS") not in {"SUCCESS", "WARNING"}
    ] == []
