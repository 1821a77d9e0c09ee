#!/bin/sh
# First start of the compose database: a database and a role for each Vault, none may enter the other's.
set -eu

database() { # name, password
  psql -v ON_ERROR_STOP=1 -v name="$1" -v password="$2" \
    --username "$POSTGRES_USER" --dbname "${POSTGRES_DB:-$POSTGRES_USER}" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

database medical_vault "$MEDICAL_DATABASE_PASSWORD"
database crm_vault "$CRM_DATABASE_PASSWORD"
