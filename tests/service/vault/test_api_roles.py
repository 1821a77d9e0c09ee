"""Role by route: every route of the API has an entry here with the roles that may call it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from starlette.routing import BaseRoute, Mount, Route

from local.servers import PostgresServer, RabbitServer
from services.crm_vault.definition import CRM_VAULT
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault.served import Api, served, settings, started
from tests.service.vault.vault_databases import vault_database

ANYONE = {"nobody", "user", "integration", "admin"}
SIGNED_IN = {"user", "integration", "admin"}
CONNECTION = {"integration", "admin"}
ADMIN = {"admin"}

ATTACHED = "/vobjects/{object_name}/{record_id}/attachments/{attachment_id}/versions/{attachment_version}"
LIFECYCLE_ACTION = "/objects/documents/{document_id}/versions/{major}/{minor}/lifecycle_actions/{action_name}"
VERSION_FILE = (
    "/objects/documents/{document_id}/versions/{major}/{minor}"
    "/attachments/{attachment_id}/versions/{attachment_version}"
)
SUBTYPE = "GET /metadata/objects/documents/types/{type_name}/subtypes/{subtype_name}"

# Paths are called as they stand, on an object that only some may see; what lets a caller in may still refuse the call.
ROUTES = {
    "POST /auth": ANYONE,
    "GET /api": ANYONE,
    "GET /api/": ANYONE,
    "GET ": SIGNED_IN,
    "GET /": SIGNED_IN,
    "POST /auth/discovery": ANYONE,
    "POST /auth/oauth/session/{profile}": ANYONE,
    "GET /delegation/vaults": SIGNED_IN,
    "POST /delegation/login": SIGNED_IN,
    "GET /services/delegations": SIGNED_IN,
    "POST /services/delegations": SIGNED_IN,
    "DELETE /services/delegations/{delegation_id}": ADMIN,
    "POST /keep-alive": SIGNED_IN,
    "GET /objects/users": CONNECTION,
    "GET /objects/licenses": CONNECTION,
    "GET /metadata/objects/securitypolicies": CONNECTION,
    "GET /notifications/histories": ADMIN,
    "GET /scim/v2/ServiceProviderConfig": SIGNED_IN,
    "GET /scim/v2/Schemas": SIGNED_IN,
    "GET /scim/v2/Schemas/{schema_id}": SIGNED_IN,
    "GET /scim/v2/ResourceTypes": SIGNED_IN,
    "GET /scim/v2/ResourceTypes/{kind}": SIGNED_IN,
    "GET /scim/v2/Users": CONNECTION,
    "POST /scim/v2/Users": ADMIN,
    "GET /scim/v2/Users/{user_id}": CONNECTION,
    "PUT /scim/v2/Users/{user_id}": ADMIN,
    "GET /scim/v2/Me": SIGNED_IN,
    "PUT /scim/v2/Me": SIGNED_IN,
    "GET /scim/v2/{endpoint}": CONNECTION,
    "GET /scim/v2/{endpoint}/{resource_id}": CONNECTION,
    "POST /objects/users": ADMIN,
    "PUT /objects/users": ADMIN,
    "POST /objects/users/me/password": SIGNED_IN,
    "POST /objects/users/{user_id}/password": SIGNED_IN,
    "GET /objects/users/{user_id}": CONNECTION,  # one's own to everyone, here and below
    "PUT /objects/users/{user_id}": ADMIN,
    "DELETE /objects/users/{user_id}": ADMIN,
    "PUT /objects/users/{user_id}/vault_membership/{vault_id}": ADMIN,
    "GET /objects/users/{user_id}/permissions": CONNECTION,
    "GET /objects/users/{user_id}/api_access_token__sys": CONNECTION,
    "POST /objects/users/{user_id}/api_access_token__sys": ADMIN,
    "DELETE /objects/users/{user_id}/api_access_token__sys/{token_id}": ADMIN,
    "GET /objects/groups": CONNECTION,
    "GET /objects/groups/auto": CONNECTION,
    "GET /objects/groups/{group_id}": CONNECTION,
    "POST /objects/groups": ADMIN,
    "PUT /objects/groups/{group_id}": ADMIN,
    "DELETE /objects/groups/{group_id}": ADMIN,
    "GET /metadata/objects/users": CONNECTION,
    "GET /metadata/objects/groups": CONNECTION,
    "GET /objects/domain": CONNECTION,
    "GET /objects/domains": SIGNED_IN,
    "GET /objects/securitypolicies": CONNECTION,
    "GET /objects/securitypolicies/{security_policy_name}": CONNECTION,
    "GET /objects/picklists": SIGNED_IN,
    "GET /objects/picklists/{picklist_name}": SIGNED_IN,
    "POST /objects/picklists/{picklist_name}": ADMIN,
    "PUT /objects/picklists/{picklist_name}": ADMIN,
    "PUT /objects/picklists/{picklist_name}/{value_name}": ADMIN,
    "DELETE /objects/picklists/{picklist_name}/{value_name}": ADMIN,
    "GET /objects/documents/actions": SIGNED_IN,
    "GET /objects/documents/actions/{workflow_name}": SIGNED_IN,
    "POST /objects/documents/actions/{workflow_name}": SIGNED_IN,
    "GET /objects/objectworkflows": SIGNED_IN,
    "GET /objects/objectworkflows/actions": SIGNED_IN,
    "GET /objects/objectworkflows/actions/{workflow_name}": SIGNED_IN,
    "POST /objects/objectworkflows/actions/{workflow_name}": SIGNED_IN,
    "GET /objects/objectworkflows/{workflow_id}": SIGNED_IN,
    "GET /objects/objectworkflows/{workflow_id}/actions": SIGNED_IN,
    "GET /objects/objectworkflows/{workflow_id}/actions/{workflow_action}": SIGNED_IN,
    "POST /objects/objectworkflows/{workflow_id}/actions/{workflow_action}": SIGNED_IN,
    "GET /objects/objectworkflows/tasks": SIGNED_IN,
    "GET /objects/objectworkflows/tasks/{workflow_task_id}": SIGNED_IN,
    "GET /objects/objectworkflows/tasks/{workflow_task_id}/actions": SIGNED_IN,
    "GET /objects/objectworkflows/tasks/{workflow_task_id}/actions/{task_action}": SIGNED_IN,
    "POST /objects/objectworkflows/tasks/{workflow_task_id}/actions/{task_action}": SIGNED_IN,
    "GET /object/workflow/actions": SIGNED_IN,
    "GET /object/workflow/actions/{bulk_action}": ADMIN,
    "POST /object/workflow/actions/{bulk_action}": ADMIN,
    "GET /query": SIGNED_IN,
    "POST /query": SIGNED_IN,
    "POST /query/components": SIGNED_IN,
    "GET /query/{cursor}": SIGNED_IN,
    "POST /query/{cursor}": SIGNED_IN,
    "GET /objects/documents": SIGNED_IN,
    "POST /objects/documents": SIGNED_IN,
    "POST /objects/documents/batch": SIGNED_IN,
    "PUT /objects/documents/batch": SIGNED_IN,
    "DELETE /objects/documents/batch": ADMIN,
    "GET /objects/deletions/documents": SIGNED_IN,
    "GET /objects/deletions/documents/attachments": SIGNED_IN,
    "GET /objects/documents/{document_id}": SIGNED_IN,
    "PUT /objects/documents/{document_id}": SIGNED_IN,
    "DELETE /objects/documents/{document_id}": ADMIN,
    "GET /objects/documents/{document_id}/file": SIGNED_IN,
    "GET /objects/documents/{document_id}/renditions": SIGNED_IN,
    "GET /objects/documents/{document_id}/renditions/{rendition_type}": SIGNED_IN,
    "POST /objects/documents/{document_id}/renditions/{rendition_type}": SIGNED_IN,
    "PUT /objects/documents/{document_id}/renditions/{rendition_type}": SIGNED_IN,
    "DELETE /objects/documents/{document_id}/renditions/{rendition_type}": SIGNED_IN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}": SIGNED_IN,
    "PUT /objects/documents/{document_id}/versions/{major}/{minor}": SIGNED_IN,
    "DELETE /objects/documents/{document_id}/versions/{major}/{minor}": ADMIN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}/file": SIGNED_IN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}/text": SIGNED_IN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}/renditions": SIGNED_IN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}/renditions/{rendition_type}": SIGNED_IN,
    "POST /objects/documents/{document_id}/versions/{major}/{minor}/renditions/{rendition_type}": SIGNED_IN,
    "PUT /objects/documents/{document_id}/versions/{major}/{minor}/renditions/{rendition_type}": SIGNED_IN,
    "DELETE /objects/documents/{document_id}/versions/{major}/{minor}/renditions/{rendition_type}": SIGNED_IN,
    "POST /objects/documents/{document_id}": SIGNED_IN,
    "GET /objects/documents/{document_id}/versions": SIGNED_IN,
    "GET /objects/documents/{document_id}/audittrail": ADMIN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}/lifecycle_actions": SIGNED_IN,
    f"GET {LIFECYCLE_ACTION}/entry_requirements": SIGNED_IN,
    "PUT /objects/documents/{document_id}/versions/{major}/{minor}/lifecycle_actions/{action_name}": SIGNED_IN,
    "GET /metadata/objects/documents/lock": SIGNED_IN,
    "POST /objects/documents/{document_id}/lock": SIGNED_IN,
    "GET /objects/documents/{document_id}/lock": SIGNED_IN,
    "DELETE /objects/documents/{document_id}/lock": SIGNED_IN,
    "GET /objects/documents/{document_id}/roles": SIGNED_IN,
    "GET /objects/documents/{document_id}/roles/{role_name}": SIGNED_IN,
    "POST /objects/documents/{document_id}/roles": SIGNED_IN,
    "DELETE /objects/documents/{document_id}/roles/{role_name_and_user_or_group}/{holder_id}": SIGNED_IN,
    "POST /objects/documents/roles/batch": SIGNED_IN,
    "DELETE /objects/documents/roles/batch": SIGNED_IN,
    "GET /objects/documents/{document_id}/attachments": SIGNED_IN,
    "POST /objects/documents/{document_id}/attachments": SIGNED_IN,
    "GET /objects/documents/{document_id}/attachments/file": SIGNED_IN,
    "GET /objects/documents/{document_id}/attachments/{attachment_id}": SIGNED_IN,
    "PUT /objects/documents/{document_id}/attachments/{attachment_id}": SIGNED_IN,
    "DELETE /objects/documents/{document_id}/attachments/{attachment_id}": SIGNED_IN,
    "GET /objects/documents/{document_id}/attachments/{attachment_id}/file": SIGNED_IN,
    "GET /objects/documents/{document_id}/attachments/{attachment_id}/versions": SIGNED_IN,
    "GET /objects/documents/{document_id}/attachments/{attachment_id}/versions/{attachment_version}": SIGNED_IN,
    "POST /objects/documents/{document_id}/attachments/{attachment_id}/versions/{attachment_version}": SIGNED_IN,
    "DELETE /objects/documents/{document_id}/attachments/{attachment_id}/versions/{attachment_version}": SIGNED_IN,
    "GET /objects/documents/{document_id}/attachments/{attachment_id}/versions/{attachment_version}/file": SIGNED_IN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}/attachments": SIGNED_IN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}/attachments/file": SIGNED_IN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}/attachments/{attachment_id}": SIGNED_IN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}/attachments/{attachment_id}/file": SIGNED_IN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}/attachments/{attachment_id}/versions": SIGNED_IN,
    f"GET {VERSION_FILE}": SIGNED_IN,
    f"GET {VERSION_FILE}/file": SIGNED_IN,
    "GET /objects/documents/{document_id}/version/{major}/{minor}/attachments": SIGNED_IN,
    "GET /objects/documents/{document_id}/{major}/{minor}/attachments/file": SIGNED_IN,
    "POST /objects/documents/attachments/batch": CONNECTION,
    "PUT /objects/documents/attachments/batch": SIGNED_IN,
    "DELETE /objects/documents/attachments/batch": SIGNED_IN,
    "POST /objects/documents/versions/batch": SIGNED_IN,
    "DELETE /objects/documents/versions/batch": ADMIN,
    "POST /objects/documents/renditions/batch": SIGNED_IN,
    "DELETE /objects/documents/renditions/batch": SIGNED_IN,
    "PUT /objects/documents/batch/actions/reclassify": SIGNED_IN,
    "POST /objects/documents/lifecycle_actions": SIGNED_IN,
    "PUT /objects/documents/lifecycle_actions/{action_name}": SIGNED_IN,
    "GET /metadata/objects/documents/properties": SIGNED_IN,
    "GET /metadata/objects/documents/types": SIGNED_IN,
    "GET /metadata/objects/documents/types/{type_name}": SIGNED_IN,
    SUBTYPE: SIGNED_IN,
    f"{SUBTYPE}/classifications/{{classification_name}}": SIGNED_IN,
    "GET /metadata/objects/documents/types/{type_name}/relationships": SIGNED_IN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}/relationships": SIGNED_IN,
    "POST /objects/documents/{document_id}/versions/{major}/{minor}/relationships": SIGNED_IN,
    "GET /objects/documents/{document_id}/versions/{major}/{minor}/relationships/{relationship_id}": SIGNED_IN,
    "DELETE /objects/documents/{document_id}/versions/{major}/{minor}/relationships/{relationship_id}": SIGNED_IN,
    "POST /objects/documents/relationships/batch": SIGNED_IN,
    "DELETE /objects/documents/relationships/batch": SIGNED_IN,
    "POST /objects/documents/batch/actions/fileextract": CONNECTION,
    "POST /objects/documents/versions/batch/actions/fileextract": CONNECTION,
    "GET /objects/documents/batch/actions/fileextract/{job_id}/results": SIGNED_IN,
    "GET /metadata/objects/documents/templates": SIGNED_IN,
    "GET /objects/documents/templates": SIGNED_IN,
    "POST /objects/documents/templates": ADMIN,
    "PUT /objects/documents/templates": ADMIN,
    "GET /objects/documents/templates/{template_name}": SIGNED_IN,
    "PUT /objects/documents/templates/{template_name}": ADMIN,
    "DELETE /objects/documents/templates/{template_name}": ADMIN,
    "GET /objects/documents/templates/{template_name}/file": SIGNED_IN,
    "POST /objects/documents/tokens": SIGNED_IN,
    "GET /metadata/objects/documents/events": SIGNED_IN,
    "GET /metadata/objects/documents/events/{event_type}/types/{event_subtype}": SIGNED_IN,
    "POST /objects/documents/{document_id}/versions/{major}/{minor}/events": SIGNED_IN,
    "GET /objects/documents/{document_id}/events": SIGNED_IN,
    "POST /metadata/objects/documents/properties/find_common": SIGNED_IN,
    "GET /services/loader/{job_id}/tasks/{task_id}/results/renditions": CONNECTION,
    "GET /vobjects/{object_name}/{record_id}/attachment_fields/file": CONNECTION,
    "GET /vobjects/{object_name}/{record_id}/attachment_fields/{field_name}/file": CONNECTION,
    "POST /vobjects/{object_name}/{record_id}/attachment_fields/{field_name}/file": ADMIN,
    "GET /vobjects/{object_name}/{record_id}/attachments": CONNECTION,
    "POST /vobjects/{object_name}/{record_id}/attachments": ADMIN,
    "GET /vobjects/{object_name}/{record_id}/attachments/file": CONNECTION,
    "GET /vobjects/{object_name}/{record_id}/attachments/{attachment_id}": CONNECTION,
    "PUT /vobjects/{object_name}/{record_id}/attachments/{attachment_id}": ADMIN,
    "DELETE /vobjects/{object_name}/{record_id}/attachments/{attachment_id}": ADMIN,
    "GET /vobjects/{object_name}/{record_id}/attachments/{attachment_id}/file": CONNECTION,
    "GET /vobjects/{object_name}/{record_id}/attachments/{attachment_id}/versions": CONNECTION,
    "GET /vobjects/{object_name}/{record_id}/attachments/{attachment_id}/versions/{attachment_version}": CONNECTION,
    "POST /vobjects/{object_name}/{record_id}/attachments/{attachment_id}/versions/{attachment_version}": ADMIN,
    "DELETE /vobjects/{object_name}/{record_id}/attachments/{attachment_id}/versions/{attachment_version}": ADMIN,
    f"GET {ATTACHED}/file": CONNECTION,
    "POST /vobjects/{object_name}/attachments/batch": ADMIN,
    "PUT /vobjects/{object_name}/attachments/batch": ADMIN,
    "DELETE /vobjects/{object_name}/attachments/batch": ADMIN,
    "GET /objects/deletions/vobjects/{object_name}/attachments": CONNECTION,
    "GET /vobjects/{object_name}": CONNECTION,
    "POST /vobjects/{object_name}": ADMIN,
    "PUT /vobjects/{object_name}": ADMIN,
    "DELETE /vobjects/{object_name}": ADMIN,
    "GET /vobjects/{object_name}/{record_id}": CONNECTION,
    "PUT /vobjects/{object_name}/{record_id}": ADMIN,
    "DELETE /vobjects/{object_name}/{record_id}": ADMIN,
    "GET /vobjects/{object_name}/{record_id}/actions": CONNECTION,
    "GET /vobjects/{object_name}/{record_id}/actions/{action_name}": CONNECTION,
    "POST /vobjects/{object_name}/{record_id}/actions/{action_name}": ADMIN,
    "POST /vobjects/{object_name}/actions/{action_name}": ADMIN,
    "GET /vobjects/{object_name}/{record_id}/roles": CONNECTION,
    "GET /vobjects/{object_name}/{record_id}/roles/{role_name}": CONNECTION,
    "POST /vobjects/{object_name}/roles": ADMIN,
    "DELETE /vobjects/{object_name}/roles": ADMIN,
    "GET /services/notifications": SIGNED_IN,
    "PUT /services/notifications": SIGNED_IN,
    "POST /vobjects/{object_name}/actions/changetype": ADMIN,
    "POST /vobjects/{object_name}/actions/merge": ADMIN,
    "POST /vobjects/{object_name}/{record_id}/actions/cascadedelete": ADMIN,
    "POST /vobjects/{object_name}/{record_id}/actions/deepcopy": ADMIN,
    "GET /vobjects/cascadedelete/results/{object_name}/{outcome}/{job_id}": SIGNED_IN,  # one's own jobs
    "GET /vobjects/deepcopy/results/{object_name}/{outcome}/{job_id}": SIGNED_IN,
    "POST /vobjects/{object_name}/actions/recalculaterollups": ADMIN,
    "GET /vobjects/{object_name}/actions/recalculaterollups": CONNECTION,
    "PUT /vobjects/{object_name}/actions/updatecorporatecurrency": ADMIN,
    "GET /vobjects/merges/{job_id}/status": SIGNED_IN,
    "GET /vobjects/merges/{job_id}/results": SIGNED_IN,
    "GET /vobjects/merges/{job_id}/log": SIGNED_IN,
    "GET /objects/deletions/vobjects/{object_name}": CONNECTION,
    "GET /metadata/vobjects": SIGNED_IN,
    "GET /metadata/vobjects/{object_name}": CONNECTION,
    "GET /metadata/vobjects/{object_name}/fields/{field_name}": CONNECTION,
    "GET /metadata/vobjects/{object_name}/page_layouts": CONNECTION,
    "GET /metadata/vobjects/{object_name}/page_layouts/{layout_name}": CONNECTION,
    "GET /metadata/components": CONNECTION,
    "GET /metadata/components/{type_name}": CONNECTION,
    "GET /configuration/role_assignment_rule": ADMIN,
    "POST /configuration/role_assignment_rule": ADMIN,
    "PUT /configuration/role_assignment_rule": ADMIN,
    "DELETE /configuration/role_assignment_rule": ADMIN,
    "GET /configuration/{component_name}": CONNECTION,
    "GET /api/mdl/components/{component_name}": CONNECTION,
    "GET /api/mdl/components/{component_name}/files": CONNECTION,
    "POST /api/mdl/execute": ADMIN,
    "POST /api/mdl/execute_async": ADMIN,
    "POST /api/mdl/execute_asyc": ADMIN,
    "GET /api/mdl/execute_async/{job_id}/results": SIGNED_IN,  # one's own, to all but administrators
    "POST /api/mdl/files": ADMIN,
    "POST /api/api/mdl/files": ADMIN,
    "GET /api/mdl/files/{file_name}": CONNECTION,
    "GET /limits": SIGNED_IN,
    "POST /metadata/vobjects/{object_name}/actions/canceldeployment": ADMIN,
    "GET /services/connections/{api_name}/file": ADMIN,
    "POST /services/connections/actions/upload": ADMIN,
    "POST /services/connections/{api_name}/actions/duplicate": ADMIN,
    "POST /services/connections/{api_name}/session": CONNECTION,
    "POST /services/connections/{api_name}/signatures": CONNECTION,
    "GET /services/certificate/{certificate_id}": ANYONE,
    "GET /services/queues": CONNECTION,
    "GET /services/queues/{queue_name}": CONNECTION,
    "PUT /services/queues/{queue_name}/actions/enable_delivery": ADMIN,
    "PUT /services/queues/{queue_name}/actions/disable_delivery": ADMIN,
    "PUT /services/queues/{queue_name}/actions/reset": ADMIN,
    "POST /services/queues/{queue_name}/deliveries": CONNECTION,
    "PUT /services/queues/{queue_name}/actions/trace_delivery": ADMIN,
    "POST /services/exceptions/actions/retry": CONNECTION,
    "GET /services/messages/{message_id}": ADMIN,
    "GET /logs/api_usage": ADMIN,
    "GET /services/queue_logs": ADMIN,
    "GET /services/queue_logs/{log_date}": ADMIN,
    "GET /services/clock": CONNECTION,
    "GET /services/reference_lookups": CONNECTION,
    "GET /services/reference_lookups/template": CONNECTION,
    "POST /services/reference_lookups": ADMIN,
    "POST /services/integrations/{integration}/runs": ADMIN,
    "GET /services/integrations/{integration}/runs": CONNECTION,
    "GET /services/integrations/{integration}/runs/{job_id}": CONNECTION,
    "PUT /services/integrations/{integration}/runs/{job_id}": CONNECTION,
    "PUT /services/integrations/{integration}/runs/{job_id}/batches/{batch}": CONNECTION,
    "POST /services/reconciliations": ADMIN,
    "GET /services/reconciliations": CONNECTION,
    "GET /services/reconciliations/{job_id}": CONNECTION,
    "GET /services/reconciliations/{job_id}/findings": CONNECTION,
    "POST /services/reconciliations/{job_id}/actions/transfer_again": ADMIN,
    "PUT /services/reconciliations/{job_id}": CONNECTION,
    "PUT /services/reconciliations/{job_id}/slices/{slice_number}": CONNECTION,
    "GET /services/rehearsal/faults": ADMIN,
    "GET /services/rehearsal/switches": ADMIN,
    "POST /services/rehearsal/switches": ADMIN,
    "DELETE /services/rehearsal/switches": ADMIN,
    "DELETE /services/rehearsal/switches/{switch_id}": ADMIN,
    "GET /services/jobs/histories": SIGNED_IN,  # one's own, to all but administrators
    "GET /services/jobs/monitors": SIGNED_IN,
    "POST /services/jobs/start_now/{job_id}": SIGNED_IN,
    "GET /services/jobs/{job_id}": SIGNED_IN,
    "GET /services/jobs/{job_id}/tasks": SIGNED_IN,
    "GET /services/file_staging/items": CONNECTION,
    "GET /services/file_staging/items/{item}": CONNECTION,
    "GET /services/file_staging/items/content/{item}": CONNECTION,
    "POST /services/file_staging/items": CONNECTION,
    "PUT /services/file_staging/items/{item}": CONNECTION,
    "DELETE /services/file_staging/items/{item}": CONNECTION,
    "POST /services/file_staging/upload": CONNECTION,
    "GET /services/file_staging/upload": CONNECTION,
    "GET /services/file_staging/upload/{upload_session_id}": CONNECTION,
    "GET /services/file_staging/upload/{upload_session_id}/parts": CONNECTION,
    "PUT /services/file_staging/upload/{upload_session_id}": CONNECTION,
    "POST /services/file_staging/upload/{upload_session_id}": CONNECTION,
    "DELETE /services/file_staging/upload/{upload_session_id}": CONNECTION,
    "POST /services/loader/load": CONNECTION,
    "POST /services/loader/extract": CONNECTION,
    "GET /services/loader/{job_id}/tasks/{task_id}/results": CONNECTION,
    "GET /services/loader/{job_id}/tasks/{task_id}/successlog": CONNECTION,
    "GET /services/loader/{job_id}/tasks/{task_id}/failurelog": CONNECTION,
    "GET /services/directdata/files": ADMIN,
    "GET /services/directdata/files/{part_name}": ADMIN,
    "POST /services/directdata/files": ADMIN,
    "GET /services/standard_configuration": ADMIN,
    "POST /services/configuration_mode/actions/enable": ADMIN,
    "POST /services/configuration_mode/actions/disable": ADMIN,
    "POST /services/package": ADMIN,
    "PUT /services/package": ADMIN,
    "POST /services/package/actions/validate": ADMIN,
    "POST /services/vobject/vault_package__v/{package_id}/actions/validate": ADMIN,
    "POST /services/vobject/vault_package_v/{package_id}/actions/validate": ADMIN,
    "POST /vobject/vault_package__v/{package_id}/actions/deploy": ADMIN,
    "PUT /vobject/vault_package__v/{package_id}/actions/deploy": ADMIN,
    "GET /vobject/vault_package__v/{package_id}/actions/deploy/results": ADMIN,
    "GET /vobject/vault_package__v/{package_id}/actions/import/results": ADMIN,
    "GET /vobjects/outbound_package__v/{package_id}/dependencies": ADMIN,
    "GET /vobject/outbound_package__v/{package_id}/dependencies": ADMIN,
    "GET /services/package/{package_id}/content": ADMIN,
    "GET /services/package/{package_id}/logs/{name}": ADMIN,
    "GET /metadata/audittrail": ADMIN,
    "GET /metadata/audittrail/{audit_trail_type}": ADMIN,
    "GET /audittrail/{audit_trail_type}": ADMIN,
    "GET /audittrail/{audit_trail_type}/exports/{job_id}": ADMIN,
    "GET /vobjects/{object_name}/{record_id}/audittrail": ADMIN,
    "GET /services/lineage/vobjects/{object_name}/{record_id}": CONNECTION,
    "GET /services/lineage/messages/{message_id}": ADMIN,
    "DELETE /session": SIGNED_IN,
}
PREFIX = "/api/{version:vault_version}"
VALUES = {
    "layout_name": "nothing__c",
    "role_name": "owner__v",
    "role_name_and_user_or_group": "editor__v.user",
    "holder_id": "2",
    "integration": "medical_inquiry_details__v",
    "batch": "1",
    "slice_number": "1",
    "object_name": "connection__sys",
    "api_name": "nothing__c",
    "certificate_id": "00001",
    "audit_trail_type": "object_audit_trail",
    "package_id": "0000",
    "name": "nothing.log",
    "record_id": "0000",
    "message_id": "0000",
    "action_name": "Objectaction.connection__sys.nothing__c",
    "field_name": "name__v",
    "cursor": "0000",
    "type_name": "Picklist",
    "file_name": "0000",
    "component_name": "Picklist.colour__c",
    "queue_name": "nothing__v",
    "log_date": "2026-01-02",
    "switch_id": "nothing",
    "job_id": "999999999",
    "outcome": "success",
    "task_id": "1",
    "profile": "_nothing",
    "delegation_id": "999999999",
    "user_id": "2",
    "part_name": "nothing.001",
    "schema_id": "urn:nothing",
    "kind": "User",
    "endpoint": "LicenseTypes",
    "resource_id": "nothing__v",
    "vault_id": "10101",
    "token_id": "0000",
    "group_id": "999999999",
    "workflow_id": "999999999",
    "workflow_task_id": "999999999",
    "workflow_name": "Objectworkflow.nothing__c",
    "workflow_action": "cancel",
    "task_action": "accept",
    "bulk_action": "nothing",
    "picklist_name": "nothing__c",
    "value_name": "nothing__c",
    "attachment_id": "2000000000",
    "attachment_version": "1",
    "relationship_id": "1",
    "template_name": "nothing__c",
    "event_type": "distribution__v",
    "event_subtype": "approved_email__v",
    "document_id": "2000000000",
    "major": "0",
    "minor": "1",
    "rendition_type": "viewable_rendition__v",
    "subtype_name": "nothing__c",
    "classification_name": "nothing__c",
    "item": "nothing.txt",
    "upload_session_id": "0000",
    "security_policy_name": "1",
}
BODIES: dict[str, dict[str, Any]] = {
    "POST /vobjects/{object_name}": {"json": [{"nothing__c": 1}]},
    "PUT /vobjects/{object_name}": {"json": [{"id": "0000"}]},
    "DELETE /vobjects/{object_name}": {"json": [{"id": "0000"}]},
    "POST /vobjects/{object_name}/actions/{action_name}": {"data": {"ids": "0000"}},
    "PUT /services/reconciliations/{job_id}": {"json": {"error": "nothing"}},
    "PUT /services/reconciliations/{job_id}/slices/{slice_number}": {
        "json": {"equal": 0}
    },
    "PUT /services/integrations/{integration}/runs/{job_id}": {
        "json": {"error": "nothing"}
    },
    "PUT /services/integrations/{integration}/runs/{job_id}/batches/{batch}": {
        "json": {
            "integration_point": "a__v",
            "read": 0,
            "mapped": 0,
            "skipped": 0,
            "written": 0,
            "failed": 0,
        }
    },
    "POST /services/connections/{api_name}/signatures": {"json": {"messages": []}},
    "POST /services/connections/{api_name}/actions/duplicate": {
        "data": {"name": "x", "api_name": "x__c"}
    },
    "POST /services/connections/actions/upload": {"data": {"file": "{}"}},
    "PUT /services/file_staging/upload/{upload_session_id}": {
        "headers": {"X-VaultAPI-FilePartNumber": "1"}
    },
}


# Outside the API: nothing of a Vault's data, and no envelope. What is below /ui is in test_page_roles.py.
PAGES = {
    "GET /ui": ANYONE,  # leads to the sign-in
    "GET /docs": ANYONE,
    "GET /openapi.json": ANYONE,
    "GET /static/swagger-ui/swagger-ui.css": ANYONE,
    "GET /healthz": ANYONE,
    "GET /readyz": ANYONE,
    "GET /metrics": ANYONE,
}
FILES = "GET /static"  # a folder, of which PAGES names one file


def served_routes(routes: Sequence[BaseRoute]) -> Iterator[str]:
    """Verb and path of every served route, including those of included routers."""
    for route in routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from served_routes(included.routes)
        elif isinstance(route, Mount):
            yield f"GET {route.path}"
        else:
            assert isinstance(route, Route), route
            path = route.path.removeprefix(PREFIX).replace(":path}", "}")
            yield from (
                f"{method} {path}" for method in (route.methods or set()) - {"HEAD"}
            )


def test_every_route_has_an_entry(vault: Vault) -> None:
    listed = {FILES if route.startswith(f"{FILES}/") else route for route in PAGES}
    assert set(served_routes(create_app(vault).routes)) == listed | set(ROUTES)


@pytest.mark.parametrize("role", sorted(ANYONE))
@pytest.mark.parametrize("page", PAGES)
async def test_who_sees_a_page(api: Api, page: str, role: str) -> None:
    headers = (
        {}
        if role == "nobody"
        else {"Authorization": (await api.signed_in(role)).session_id or ""}
    )
    async with api.http.get(
        api.url + page.removeprefix("GET "), headers=headers
    ) as response:
        assert response.status == 200
        assert "X-VaultAPI-Status" not in response.headers


@pytest.mark.parametrize("role", sorted(ANYONE))
@pytest.mark.parametrize("route", ROUTES)
async def test_who_is_let_in(api: Api, route: str, role: str) -> None:
    client = api if role == "nobody" else await api.signed_in(role)
    method, _, template = route.partition(" ")
    answer = await client.call(
        method, template.format(**VALUES) or "/api/v25.1", **BODIES.get(route, {})
    )
    # What SCIM answers is no envelope, except for a refusal.
    refused = answer.body and answer.body.get("responseStatus") == "FAILURE"
    error = answer.error if refused else ""
    if role == "admin" and route.endswith("/configuration_mode/actions/enable"):
        await client.post(
            "/services/configuration_mode/actions/disable"
        )  # for those that come after
    assert answer.http_status == 200
    if role in ROUTES[route]:
        assert error != "INVALID_SESSION_ID"
        assert "sufficient privileges" not in answer.text
    else:
        assert error == (
            "INVALID_SESSION_ID" if role == "nobody" else "INSUFFICIENT_ACCESS"
        )


@pytest.fixture(scope="module")
async def foreign_session(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[str]:
    """A live session of an administrator of the other Vault."""
    files = tmp_path_factory.mktemp("files")
    async with (
        vault_database(postgres_server, CRM_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        other = Vault(CRM_VAULT, settings(dsn, vhost.amqp_url, files))
        async with served(create_app(other)) as crm:
            await started(other)
            yield str((await crm.signed_in("admin")).session_id)


async def test_a_session_of_another_vault_opens_nothing(
    api: Api, foreign_session: str
) -> None:
    foreign = {"Authorization": foreign_session}
    without_session = ("POST /auth", "GET /services/certificate")
    for route in sorted(
        route for route in ROUTES if not route.startswith(without_session)
    ):
        method, _, template = route.partition(" ")
        answer = await api.call(
            method, template.format(**VALUES) or "/api/v25.1", headers=foreign
        )
        assert answer.error == "INVALID_SESSION_ID", route
