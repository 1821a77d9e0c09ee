"""VQL: text to syntax tree, syntax tree to one parameterised SQL statement; pure."""

from shared.vault.vql.columns import Column, SubSelectColumn
from shared.vault.vql.compiler import CompiledQuery, Options, check_criteria, compile_query
from shared.vault.vql.describe import describe
from shared.vault.vql.errors import VqlError, VqlLimitError, VqlNameError, VqlSyntaxError
from shared.vault.vql.parser import parse, parse_criteria
from shared.vault.vql.resolve import Readable, Registry
from shared.vault.vql.tree import Criteria, Query

__all__ = [
    "Column",
    "CompiledQuery",
    "Criteria",
    "Options",
    "Query",
    "Readable",
    "Registry",
    "SubSelectColumn",
    "VqlError",
    "VqlLimitError",
    "VqlNameError",
    "VqlSyntaxError",
    "check_criteria",
    "compile_query",
    "describe",
    "parse",
    "parse_criteria",
]
