#!/bin/sh
# Makes the application's own role, which owns its database and nothing else.
# psql reads the password file itself and quotes it: it shows in no process list and may hold any character.
set -eu
exec psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set password `cat /run/secrets/triptych/database-password`
CREATE ROLE triptych LOGIN PASSWORD :'password';
CREATE DATABASE triptych OWNER triptych ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE triptych FROM PUBLIC;
SQL
