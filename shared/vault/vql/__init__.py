"""Compiles VQL: parses text into a syntax tree, and turns the tree into one parameterised SQL statement; no I/O."""

from shared.vault.vql.columns import Column, SubSelectColumn
from shared.vault.vql.compiler import (
    NO_TARGETS,
    RANKED,
    CompiledQuery,
    Options,
    Targets,
    check_criteria,
    children_query,
    compile_query,
)
from shared.vault.vql.deferred import TOKENS, Execution, resolve
from shared.vault.vql.describe import describe, describe_show, show_rows
from shared.vault.vql.facets import Facet, facets_of
from shared.vault.vql.functions import whole_text
from shared.vault.vql.operands import literal
from shared.vault.vql.parser import parse, parse_criteria, parse_statement
from shared.vault.vql.readable_objects import readable_objects
from shared.vault.vql.resolve import Readable
from shared.vault.vql.syntax_tree import (
    Comparison,
    Contains,
    Criteria,
    Expression,
    Operand,
    Operator,
    Path,
    Query,
    Show,
    terms_of,
)
from shared.vault.vql.targets import Registry, Target, registry_targets
from shared.vault.vql.vql_errors import (
    VqlError,
    VqlLimitError,
    VqlNameError,
    VqlSyntaxError,
)

__all__ = [
    "NO_TARGETS",
    "RANKED",
    "TOKENS",
    "Column",
    "Comparison",
    "CompiledQuery",
    "Contains",
    "Criteria",
    "Execution",
    "Expression",
    "Facet",
    "Operand",
    "Operator",
    "Options",
    "Path",
    "Query",
    "Readable",
    "Registry",
    "Show",
    "SubSelectColumn",
    "Target",
    "Targets",
    "VqlError",
    "VqlLimitError",
    "VqlNameError",
    "VqlSyntaxError",
    "check_criteria",
    "children_query",
    "compile_query",
    "describe",
    "describe_show",
    "facets_of",
    "literal",
    "parse",
    "parse_criteria",
    "parse_statement",
    "readable_objects",
    "registry_targets",
    "resolve",
    "show_rows",
    "terms_of",
    "whole_text",
]
