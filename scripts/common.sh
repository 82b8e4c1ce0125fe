# Sourced by the scripts beside it; run from the project's folder.

say() { echo "$(basename "$0"): $*" >&2; }

die() {
	say "$*"
	exit 1
}

# missing PACKAGE… prints those that are not installed.
missing() {
	for package; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
		installed) ;;
		*) echo "$package" ;;
		esac
	done
}

# as_root COMMAND… runs a command as root, by sudo if need be.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "this takes root, and there is no sudo: $*"
	fi
}

# install REASON PACKAGE… installs what is missing of the packages.
install() {
	reason=$1
	shift
	if ! command -v dpkg-query >/dev/null; then
		say "this is not Debian: see to it yourself that there is what these have: $*"
		return
	fi
	wanted=$(missing "$@" | tr '\n' ' ')
	[ -n "$wanted" ] || return 0
	say "installing Debian's packages $wanted, since $reason needs them"
	as_root apt-get update -q
	# shellcheck disable=SC2086 # a list of words
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $wanted
}

# patiently WHAT COMMAND… runs a command and says every ten seconds that it
# still does.
patiently() {
	what=$1
	shift
	ticks "$what" &
	ticker=$!
	trap 'kill "$ticker" 2>/dev/null' EXIT
	trap 'exit 130' INT TERM
	status=0
	"$@" || status=$?
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	trap - EXIT INT TERM
	return "$status"
}

ticks() {
	trap 'kill "$nap"; exit' TERM
	elapsed=0
	while :; do
		sleep 10 &
		nap=$!
		wait "$nap"
		elapsed=$((elapsed + 10))
		say "$1 ($elapsed s)"
	done
}
