"""Mypy finds every decision by an enumeration that lacks a new member.

One member is added to every enumeration of a copy of the sources, and mypy is run once. ``DECISIONS`` lists, for each
enumeration, the modules that decide by it with ``match`` and ``assert_never``; update it when a decision is added,
moved or removed. Cached results are in ``.mypy_cache/nouns``: the first run takes about as long as mypy over the
project, later ones seconds.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("services", "shared", "local", "medcrm")
CACHE = ROOT / ".mypy_cache"
NOUNS_CACHE = CACHE / "nouns"

# By the name of the enumeration, behind that of its module: file names are unique in the project.
DECISIONS: Mapping[str, frozenset[str]] = {
    noun: frozenset(modules)
    for noun, modules in {
        "inquiry_cases.DeliveryMethod": {"services/connector/points/inquiry_cases.py"},
        "inquiry_cases.InformationType": {"services/connector/points/inquiry_cases.py"},
        "action_parameters.ParameterKind": {"shared/vault/admin/parameter_inputs.py"},
        "document_viewer.Use": {"shared/vault/admin/document_viewer.py"},
        "component_kinds.ComponentKind": {
            "shared/vault/components/component_references.py",
            "shared/vault/components/concerned_tables.py",
            "shared/vault/components/consistency.py",
            "shared/vault/components/evolution.py",
            "shared/vault/components/renaming.py",
            "shared/vault/components/uses.py",
            "shared/vault/configuration/stored_data.py",
        },
        "usage_log.LogFormat": {"shared/vault/api/usage_log.py"},
        "component_kinds.StateMember": {"shared/vault/components/lifecycles.py"},
        "compiled.Unusable": {
            "services/connector/rules/compiled.py",
            "services/connector/rules/mapped_values.py",
        },
        "component_model.FieldType": {
            "shared/vault/admin/inputs.py",
            "shared/vault/admin/list_filters.py",
            "shared/vault/admin/record_lists.py",
            "shared/vault/admin/showing.py",
            "shared/vault/api/document_metadata.py",
            "shared/vault/components/build.py",
            "shared/vault/components/consistency.py",
            "shared/vault/components/schema.py",
            "shared/vault/direct_data/table_extracts.py",
            "shared/vault/loader/extract.py",
            "shared/vault/model/field_types.py",
            "shared/vault/records/field_values.py",
            "shared/vault/vql/columns.py",
        },
        "component_model.QueueType": {
            "shared/vault/model/component_model.py",
            "shared/vault/queues/outbox.py",
        },
        "component_model.ValueFormat": {"shared/vault/records/state_criteria.py"},
        "component_model.RelationshipDeletion": {
            "shared/vault/components/schema.py",
            "shared/vault/records/deletions.py",
        },
        "connection_file.Kind": {"shared/vault/connections/handshake.py"},
        "connection_rules.ConnectionType": {
            "shared/vault/connections/connection_rules.py"
        },
        "conversion.DefaultType": {"services/connector/rules/compile.py"},
        "conversion.EmptySource": {
            "services/connector/rules/compile.py",
            "services/connector/rules/rule_findings.py",
        },
        "conversion.LengthCheck": {"services/connector/rules/conversion.py"},
        "deployment.StepStatus": {"shared/vault/packages/deployment.py"},
        "difference.Kind": {"medcrm/cli.py"},
        "exception_filters.Age": {"shared/vault/admin/exception_filters.py"},
        "exception_model.ErrorStatus": {"shared/vault/exceptions/exception_model.py"},
        "exception_model.ItemErrorType": {
            "shared/vault/exceptions/error_explanations.py"
        },
        "exception_model.MessageErrorType": {
            "shared/vault/exceptions/error_explanations.py"
        },
        "field_types.ValueClass": {
            "shared/vault/direct_data/table_extracts.py",
            "shared/vault/model/field_types.py",
            "shared/vault/vql/operands.py",
        },
        "direct_data_table.ExtractType": {
            "shared/vault/direct_data/direct_data_jobs.py",
            "shared/vault/direct_data/direct_data_table.py",
        },
        "table_extracts.ColumnType": {"shared/vault/direct_data/table_extracts.py"},
        "functions.Function": {
            "shared/vault/vql/functions.py",
            "shared/vault/vql/operands.py",
        },
        "group_service.MemberChange": {"shared/vault/security/group_service.py"},
        "hcp.PullRule": {"services/connector/points/hcp.py"},
        "inputs.InputKind": {"shared/vault/admin/inputs.py"},
        "item_failures.ItemErrorType": {
            "services/connector/rules/item_failures.py",
            "services/connector/runs/run_reports.py",
        },
        "job_model.JobStatus": {"shared/vault/jobs/job_model.py"},
        "job_model.TaskState": {"shared/vault/jobs/job_model.py"},
        "lifecycle_forms.Addition": {"shared/vault/admin/lifecycle_forms.py"},
        "lookups.LookupType": {"services/connector/rules/lookups.py"},
        "lookups.MissingLookup": {
            "services/connector/rules/lookups.py",
            "services/connector/rules/rule_findings.py",
        },
        "planned_writes.WriteEvent": {
            "services/connector/preview/record_preview.py",
            "services/connector/reconciliation/comparison.py",
        },
        "object_json.RelationshipKind": {"shared/vault/api/object_json.py"},
        "object_metadata.FieldType": {
            "services/connector/points/planned_writes.py",
            "services/connector/rules/conversion.py",
            "services/connector/rules/query_plan.py",
        },
        "message_steps.MessageStepKind": {"shared/vault/admin/message_pages.py"},
        "readiness_steps.ReadinessStep": {
            "services/connector/readiness/findings.py",
            "shared/vault/admin/readiness_pages.py",
        },
        "package_model.DataAction": {
            "shared/vault/packages/deployment.py",
            "shared/vault/packages/package_validation.py",
        },
        "package_model.PackageStatus": {"shared/vault/packages/package_jobs.py"},
        "permission_types.Grant": {
            "shared/vault/access/caller.py",
            "shared/vault/access/delegated_profile.py",
            "shared/vault/access/permissions.py",
        },
        "permission_types.Operation": {"shared/vault/access/permissions.py"},
        "permissions.AuditTrail": {
            "shared/vault/access/permissions.py",
            "shared/vault/audit/trails.py",
            "shared/vault/direct_data/table_extracts.py",
        },
        "query_pages.RecordProperties": {"shared/vault/queries/query_pages.py"},
        "bulk_actions.BulkAction": {"shared/vault/workflows/bulk_actions.py"},
        "workflow_definitions.StepKind": {"shared/vault/workflows/workflow_engine.py"},
        "record_roles.RoleChange": {"shared/vault/records/record_roles.py"},
        "request.Action": {"shared/vault/loader/load_writing.py"},
        "response_pages.Step": {"shared/vault/admin/response_pages.py"},
        "rows.QueryKind": {
            "services/connector/rules/query_plan.py",
            "services/connector/rules/rows.py",
        },
        "rows.UnchangedFields": {
            "shared/vault/records/row_reader.py",
            "shared/vault/records/rows.py",
        },
        "reconciliation_verdicts.Verdict": {
            "shared/protocol/reconciliation_verdicts.py"
        },
        "specification.NameRule": {"shared/vault/components/component_validation.py"},
        "specification.ValueType": {
            "shared/vault/admin/attributes.py",
            "shared/vault/admin/mdl_completion.py",
            "shared/vault/components/component_validation.py",
        },
        "staging.ItemKind": {"shared/vault/api/staging.py"},
        "statement.Command": {
            "shared/vault/admin/mdl_completion.py",
            "shared/vault/components/change.py",
            "shared/vault/components/mdl_writing.py",
        },
        "statement.Condition": {"shared/vault/components/statement.py"},
        "inbox.Step": {"services/connector/processing/inbox.py"},
        "sweep_routes.Shape": {"services/connector/preview/sweep_routes.py"},
        "syntax_tree.Connective": {"shared/vault/vql/find.py"},
        "syntax_tree.Operator": {"shared/vault/vql/conditions.py"},
        "syntax_tree.ShowKind": {"shared/vault/vql/describe.py"},
        "syntax_tree.SourceOption": {"shared/vault/vql/resolve.py"},
        "syntax_tree.Tense": {"shared/vault/vql/deferred.py"},
        "syntax_tree.Unit": {"shared/vault/vql/deferred.py"},
        "topology.Direction": {"services/connector/app.py"},
        "transfer.Result": {"services/connector/points/transfer.py"},
        "token_kinds.TokenKind": {"shared/vault/vql/token_kinds.py"},
    }.items()
}

# Code does not decide by all members of these: it writes them, reads them, or compares one.
UNDECIDED = frozenset(
    {
        "action_service.ActionType",
        "audit_entries.AuditAction",
        "workflow_definitions.Assignment",
        "workflow_definitions.VerdictMatch",
        "workflow_table.TaskStatus",
        "workflow_table.WorkflowStatus",
        "cli.Shell",
        "clm_content.Feature",
        "component_errors.Code",
        "component_kinds.PartKind",
        "component_model.RelationshipType",
        "connection_rules.DomainType",
        "connection_rules.State",
        "cookies.NoteKind",
        "documents.DraftContent",
        "documents.VersionScope",
        "document_tokens.DownloadOption",
        "envelope.ReconciliationEvent",
        "envelope.RunEvent",
        "error_types.ErrorType",
        "log_columns.CellKind",
        "log_columns.EntryType",
        "mail.EmailState",
        "mail.SmtpSecurity",
        "merge.MergeStatus",
        "message_failure.ErrorStatus",
        "message_failure.MessageErrorType",
        "object_json.Source",
        "package_validation.DependencyStatus",
        "reconciliation_model.Phase",
        "record_preview.PreviewResult",
        "record_roles.Holder",
        "response_envelope.Status",
        "response_envelope.WarningType",
        "syntax_tree.StateFunctionName",
        "transfer_status.TransferStatus",
        "tree_jobs.TreeLog",
    }
)

FAILURE = re.compile(r"^(\S+?):\d+: error: .*\bLiteral\[\w+\.ADDED_(\d+)\]")


def enumerations(tree: ast.Module) -> Iterator[ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(
            isinstance(base, ast.Name) and base.id.endswith("Enum")
            for base in node.bases
        ):
            yield node


def enumerations_of_sources() -> Iterator[str]:
    """Yield the names by which the enumerations of the sources are listed."""
    for folder in FOLDERS:
        for module in (ROOT / folder).rglob("*.py"):
            for node in enumerations(ast.parse(module.read_text(encoding="utf-8"))):
                yield f"{module.stem}.{node.name}"


def add_members(module: Path, nouns: list[str]) -> None:
    """Add a member to each enumeration of a module, named after the enumeration's place in ``nouns``."""
    text = module.read_text(encoding="utf-8")
    lines = text.split("\n")
    # From the last one up: a line that is added must not move the places of the others.
    for node in reversed(list(enumerations(ast.parse(text)))):
        members = [each for each in node.body if isinstance(each, ast.Assign)]
        added = f'    ADDED_{len(nouns)} = "added {len(nouns)}"'
        lines.insert(members[-1].end_lineno or 0, added)
        nouns.append(f"{module.stem}.{node.name}")
    if lines != text.split("\n"):
        module.write_text("\n".join(lines), encoding="utf-8")


def seed_cache() -> None:
    """Start from the project's own cache, which contains the packages that the sources import."""
    for folder in CACHE.glob("3.*"):
        if not NOUNS_CACHE.exists():
            shutil.copytree(folder, NOUNS_CACHE / folder.name)


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """The modules that mypy refuses, by the enumeration that has a new member."""
    copy = tmp_path_factory.mktemp("nouns")
    for folder in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    nouns: list[str] = []
    for module in sorted(copy.rglob("*.py")):
        add_members(module, nouns)
    seed_cache()
    command = [sys.executable, "-m", "mypy", "--no-error-summary"]
    command += ["--config-file", str(ROOT / "pyproject.toml")]
    command += ["--cache-dir", str(NOUNS_CACHE), *FOLDERS]
    run = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout + run.stderr
    found: dict[str, set[str]] = defaultdict(set)
    for line in run.stdout.splitlines():
        failure = FAILURE.match(line)
        if failure is not None:
            found[nouns[int(failure[2])]].add(failure[1])
    return found


def test_every_enumeration_is_decided_by_or_undecided() -> None:
    nouns = sorted(enumerations_of_sources())
    assert nouns == sorted([*DECISIONS, *UNDECIDED])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("noun", DECISIONS)
def test_a_new_member_is_noticed_wherever_code_decides(
    noun: str, failures: Mapping[str, set[str]]
) -> None:
    unnoticed = DECISIONS[noun] - failures.get(noun, set())
    assert not unnoticed


@pytest.mark.timeout(600)
def test_every_decision_is_listed(failures: Mapping[str, set[str]]) -> None:
    listed = {noun: set(modules) for noun, modules in DECISIONS.items()}
    assert dict(failures) == listed
