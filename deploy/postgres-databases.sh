#!/bin/sh
# First start of the compose database: for each Vault a database, the role it connects with, and one that owns the
# database and keeps the audit trail. None may enter the other's.
set -eu

database() { # name, password, owner's password
  psql -v ON_ERROR_STOP=1 -v name="$1" -v password="$2" -v owner="$1_owner" -v owner_password="$3" \
    --username "$POSTGRES_USER" --dbname "${POSTGRES_DB:-$POSTGRES_USER}" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password' IN ROLE :"name";
CREATE DATABASE :"name" OWNER :"owner";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
GRANT CONNECT, CREATE, TEMPORARY ON DATABASE :"name" TO :"name";
SQL
}

database medical_vault "$MEDICAL_DATABASE_PASSWORD" "$MEDICAL_OWNER_PASSWORD"
database crm_vault "$CRM_DATABASE_PASSWORD" "$CRM_OWNER_PASSWORD"
database crm_vault_2 "$CRM_2_DATABASE_PASSWORD" "$CRM_2_OWNER_PASSWORD"
