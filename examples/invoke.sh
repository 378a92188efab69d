#!/bin/sh
# The function under plain functions-framework, and one alert delivered to it by curl.
#
#   examples/invoke.sh [ALERT.json]         (or: make invoke ALERT=examples/alerts/primary-down.json)
#
# Reads from the environment:
#   PYTHON   a Python with requirements.txt installed (default: python3)
#   STATE    the folder for the state document; kept (default: a temporary one, removed at the end)
#   CONFIG   the configuration (default: examples/failover-local.yaml); its state is set to STATE
#
# Prints the HTTP status, what the function logged, and the state document. Exits 0 when the function
# took the alert (2xx), 1 when it asked for redelivery or did not start.
set -eu

cd "$(dirname "$0")/.."
alert=${1:-examples/alerts/primary-down.json}
config=${CONFIG:-examples/failover-local.yaml}
python=${PYTHON:-python3}

for file in "$alert" "$config" main.py; do
    [ -r "$file" ] || { echo "invoke: cannot read $file" >&2; exit 1; }
done
command -v curl >/dev/null || { echo 'invoke: curl is needed' >&2; exit 1; }

work=$(mktemp -d)
server=
finish() {
    status=$?
    trap - EXIT INT TERM
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

state=${STATE:-$work/state}
mkdir -p "$state"
state=$(cd "$state" && pwd)
sed "s|^state:.*|state: \"file://$state\"|" "$config" >"$work/failover.yaml"

port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port/
FAILOVER_CONFIG=$work/failover.yaml "$python" -m functions_framework \
    --target on_alert --source main.py --host 127.0.0.1 --port "$port" >"$work/log" 2>&1 &
server=$!

# Any answer means that it serves: a GET is not a delivery and is turned away.
tries=0
until curl --silent --output /dev/null --max-time 5 --noproxy '*' "$url"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || ! kill -0 "$server" 2>/dev/null; then
        echo 'invoke: the function did not start:' >&2
        cat "$work/log" >&2
        exit 1
    fi
    sleep 0.1
done
before=$(wc -c <"$work/log")

# What a Pub/Sub push subscription sends: the alert in base64 inside an envelope.
{
    printf '{"subscription": "projects/local/subscriptions/alerts", "message": {"messageId": "%s", ' "$$"
    printf '"publishTime": "%s", "attributes": {}, "data": "' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    base64 <"$alert" | tr -d '\n'
    printf '"}}'
} >"$work/envelope.json"
code=$(curl --silent --show-error --output "$work/answer" --write-out '%{http_code}' --max-time 60 --noproxy '*' \
    --header 'Content-Type: application/json' --data-binary "@$work/envelope.json" "$url") || code=000

echo "POST $alert -> HTTP $code"
cat "$work/answer" 2>/dev/null || true
echo
echo '--- the function said'
tail -c "+$((before + 1))" "$work/log"
echo '--- the state is now'
find "$state" -type f ! -path '*/.*' | sort | while read -r file; do
    echo "# ${file#"$state"/}"
    "$python" -m json.tool "$file" 2>/dev/null || cat "$file"
done
[ -z "${STATE:-}" ] || echo "(kept in $state)"

case $code in
    2*) exit 0 ;;
    *) exit 1 ;;
esac
