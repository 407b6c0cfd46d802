#!/bin/sh
# Installs the real components the tests talk to, only what is missing and only where that is permitted; its arguments are
# further packages, which only a campaign needs.
# Everything it says goes to stderr; it says nothing when there is nothing to do.
set -eu
exec 1>&2
cd "$(dirname "$0")/.."

missing=""
for package in mosquitto mosquitto-clients influxdb victoria-metrics libmodbus-dev gcc libc6-dev strace chromium chromium-driver \
  systemd socat faketime mbpoll iproute2 procps "$@"; do
  case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" in
    installed) ;;
    *) missing="$missing $package" ;;
  esac
done
# A node that is not Debian's brings its own npm; Debian's npm would fight with it.
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"

if [ -n "$missing" ]; then
  install="apt-get install --yes --no-install-recommends$missing"
  if [ "$(id -u)" -eq 0 ]; then
    as_root="env DEBIAN_FRONTEND=noninteractive"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n env DEBIAN_FRONTEND=noninteractive"
  else
    echo "test-components: missing:$missing"
    echo "test-components: run this, then try again: sudo sh -c 'apt-get update && $install'"
    exit 1
  fi
  # The daemons are started by the tests on private ports: nothing else may start them now.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    # shellcheck disable=SC2064
    trap "$as_root rm -f $policy" EXIT
  fi
  # The package lists may be absent or too old to fetch from.
  # shellcheck disable=SC2086
  if ! { $as_root apt-get install --yes --dry-run $missing >/dev/null 2>&1 && $as_root $install; }; then
    $as_root apt-get update
    $as_root $install
  fi
fi

for lock in tests/foreign/*/package-lock.json; do
  [ -e "$lock" ] || continue
  folder=$(dirname "$lock")
  # npm writes this file last.
  if [ ! "$folder/node_modules/.package-lock.json" -nt "$lock" ]; then
    (cd "$folder" && npm ci --no-audit --no-fund --omit=dev && touch node_modules/.package-lock.json)
  fi
done
