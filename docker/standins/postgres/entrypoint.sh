#!/bin/bash
# Initialises the data folder once, with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB (or the
# files that NAME_FILE names), and becomes the server. Nobody is listened to over TCP before that.
set -euo pipefail

# The value of a variable, of the file that NAME_FILE names, or the default.
setting() {
  local file="$1_FILE"
  if [ -n "${!1:-}" ]; then
    printf '%s' "${!1}"
  elif [ -n "${!file:-}" ]; then
    cat -- "${!file}"
  else
    printf '%s' "$2"
  fi
}

initialise() {
  local user password database new
  user=$(setting POSTGRES_USER postgres)
  password=$(setting POSTGRES_PASSWORD "")
  database=$(setting POSTGRES_DB "$user")
  if [ -z "$password" ]; then
    echo "POSTGRES_PASSWORD is not set, nor POSTGRES_PASSWORD_FILE: the database would be open." >&2
    exit 1
  fi
  # Beside its place, and moved there when it is whole: a try that is killed leaves nothing behind
  # that looks like a database.
  new="$PGDATA.new"
  rm -rf -- "$new"
  initdb --pgdata="$new" --username="$user" --pwfile=<(printf '%s\n' "$password") \
    --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --no-instructions > /dev/null
  echo "host all all all scram-sha-256" >> "$new/pg_hba.conf"
  if [ "$database" != postgres ]; then
    # A server of this process's own, without any connection.
    echo "CREATE DATABASE \"${database//\"/\"\"}\";" \
      | postgres --single -j -D "$new" postgres > /dev/null
  fi
  sync
  mv -- "$new" "$PGDATA"
  echo "The database $database is made."
}

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$(dirname "$PGDATA")"
  chown postgres:postgres "$(dirname "$PGDATA")"
  # Mounted secrets may be root's alone: they are read here.
  for name in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB; do
    file="${name}_FILE"
    if [ -n "${!file:-}" ]; then
      export "$name=$(setting "$name" "")"
      unset "$file"
    fi
  done
  exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi

if [ "${1:-}" = postgres ]; then
  [ -s "$PGDATA/PG_VERSION" ] || initialise
  unset POSTGRES_PASSWORD
  shift
  set -- postgres -D "$PGDATA" -c listen_addresses='*' "$@"
fi
exec "$@"
