"""No modules import each other in a circle, imports for annotations counted."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("services", "shared", "local", "medcrm", cache_dir=None)
    imported = {
        module: graph.find_modules_directly_imported_by(module)
        for module in graph.modules
    }
    # Raises CycleError, which names the modules of a circle.
    TopologicalSorter(imported).prepare()
