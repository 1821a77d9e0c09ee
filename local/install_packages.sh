#!/bin/sh
# Installs what is missing of Debian's packages: "servers" are PostgreSQL and RabbitMQ, "browser" is Chromium. The
# system's own instances are left alone: a temporary policy keeps Debian from starting what it installs, and from making
# a PostgreSQL cluster.
set -eu

missing=""
for wanted in "$@"; do
  case "$wanted" in
  servers)
    for initdb in /usr/lib/postgresql/*/bin/initdb; do [ -x "$initdb" ] && break; done
    [ -x "$initdb" ] || command -v initdb >/dev/null 2>&1 || missing="postgresql"
    [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing="${missing:+$missing }rabbitmq-server"
    ;;
  browser)
    command -v "${TEST_CHROMIUM:-chromium}" >/dev/null 2>&1 || missing="${missing:+$missing }chromium"
    ;;
  *)
    echo "usage: $0 [servers] [browser]" >&2
    exit 2
    ;;
  esac
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then as_root="sudo -n"; else as_root=none; fi
fi
if [ "$as_root" = none ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "Missing packages. Please install: $missing (Debian: apt-get install $missing)" >&2
  exit 1
fi

echo "Installing $missing (nothing is started)"
policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/50-no-system-cluster.conf
made=""
undo() { [ -z "$made" ] || $as_root rm -f $made; }
trap undo EXIT
trap 'exit 130' INT TERM
if [ ! -e "$policy" ]; then
  made="$policy"
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
fi
if [ ! -e "$cluster" ]; then
  made="$made $cluster"
  $as_root mkdir -p "${cluster%/*}"
  echo 'create_main_cluster = false' | $as_root tee "$cluster" >/dev/null
fi
log=$(mktemp)
if ! { $as_root apt-get update -qq &&
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "Could not install. Please install: $missing (log: $log)" >&2
  exit 1
fi
rm -f "$log"
