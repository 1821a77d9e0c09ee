"""Fills in forms in a real browser: an inquiry, its answer, and the document of a response."""

from __future__ import annotations

from shared.client.transport import Request
from tests.system.conditions import Connected
from tests.system.visited_pages import REQUESTS
from tests.system.visitors import (
    Visitor,
)

UNASSIGNED = f"{REQUESTS}?list=unassigned"
DOCUMENTS = "/api/v25.1/objects/documents"
DRAFT, SEND = "Save as draft", "Submit and transfer"
SHOW = "Show the fields for it"


async def write_down(rep: Visitor, question: str, *, scripts: bool = True) -> None:
    """Fill in the form of a new inquiry."""
    await rep.open("/ui/")
    await rep.follow("New inquiry")
    await rep.choose("Account", "Maribel Quentaro")
    await rep.choose("Product", "Corbanyl")
    await rep.choose("Country", "United States")
    await rep.fill("Inquiry Text", question)
    await rep.choose("Delivery Method", "Email")
    # Without scripts a button shows what the choice asks for.
    if not scripts:
        await rep.press(SHOW)
    await rep.fill("Email", "reader@practice.example")


async def answer_it(agent: Visitor, question: str, answer: str) -> None:
    """Find a question among those that nobody has yet, and answer it with a response package."""
    await agent.open(UNASSIGNED)
    await agent.fill("Search", question)
    await agent.press("Search")
    await agent.sees("1 to 1 of 1")
    number = await agent.page.get_by_role("link", name="CR-").first.inner_text()
    await agent.follow(number)
    await agent.press("Start Work")
    await agent.sees("Start Work was run")
    await agent.follow("Response")
    await agent.fill("Letter", f"Dear reader, {answer}")
    await agent.press("Make the package")
    await agent.sees("The package is made.")
    await agent.follow(number)
    await agent.unfold("Close")
    await agent.fill("Response Notes", answer)
    await agent.press("Close")
    await agent.sees("Close was run")


async def approved_document(connected: Connected, name: str) -> str:
    """The id of a document that a response may send."""
    form = {"name__v": name, "type__v": "medical_response__v"}
    request = Request("document", "POST", DOCUMENTS, form=form)
    answer = await connected.medical.call(request)
    action = f"{DOCUMENTS}/{answer['id']}/versions/0/1/lifecycle_actions/approve__v"
    await connected.medical.call(Request("action", "PUT", action))
    return str(answer["id"])
