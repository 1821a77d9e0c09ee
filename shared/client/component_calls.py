"""Makes the calls about the configuration of a Vault: metadata, components and MDL."""

from __future__ import annotations

from shared.client.results import Row, mapping, rows_of
from shared.client.transport import API, Request, SignedInCalls, path_part


class ComponentCalls(SignedInCalls):
    """Calls about the metadata and components of one Vault."""

    async def objects(self) -> list[Row]:
        """Return the objects of the Vault, each with its ``name`` and ``label``."""
        request = Request("objects", "GET", f"{API}/metadata/vobjects")
        answer = await self._call(request)
        return rows_of(answer.get("objects"), "objects")

    async def object_metadata(self, object: str) -> Row:
        """Return an object's definition with its fields and relationships."""
        path = f"{API}/metadata/vobjects/{path_part(object)}"
        request = Request("object_metadata", "GET", path)
        answer = await self._call(request)
        return mapping(answer.get("object"), "object")

    async def document_metadata(self) -> Row:
        """Return the metadata of documents, their fields as ``properties``."""
        path = f"{API}/metadata/objects/documents/properties"
        request = Request("document_metadata", "GET", path)
        answer = await self._call(request)
        return {"properties": rows_of(answer.get("properties"), "properties")}

    async def configuration(self, component_type: str) -> list[Row]:
        """Return all components of a type, for example ``Integrationrule``, with their sub-components."""
        path = f"{API}/configuration/{path_part(component_type)}"
        request = Request("configuration", "GET", path)
        answer = await self._call(request)
        return rows_of(answer.get("data"), "data")

    async def component_types(self) -> list[Row]:
        """Return the component types that the Vault knows: ``name``, ``class``, ``label``."""
        path = f"{API}/metadata/components"
        request = Request("component_types", "GET", path)
        answer = await self._call(request)
        return rows_of(answer.get("data"), "data")

    async def component_mdl(self, name: str) -> str:
        """Return the component ``Type.name`` as MDL text."""
        path = f"/api/mdl/components/{path_part(name)}"
        request = Request("component_mdl", "GET", path)
        return await self._call_for_text(request)

    async def execute_mdl(self, text: str) -> Row:
        """Run an MDL script and return the whole answer, with a result for each statement."""
        # The addresses of MDL carry no version of the API.
        request = Request("execute_mdl", "POST", "/api/mdl/execute", text=text)
        return await self._call(request)
