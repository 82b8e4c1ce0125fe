# Makes the folder of a session's sound on the server, as the user, with the cookie
# that standard input brings, says where it is, and removes it when standard
# input ends: with the connection, however that comes. After a line "keep"
# somebody else will remove it. For any POSIX shell.

umask 077
base=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
# PULSE_SERVER knows no quotes, and a socket's path has 107 bytes: unix(7).
case $base in
	*[!A-Za-z0-9/._-]* | [!/]*) base=/tmp ;;
esac
# Nobody else may replace what is in it: the user's alone and no link, or root's and sticky.
own=$(find "$base" -prune -type d -user "$(id -u)" -perm 700 2>/dev/null)
[ ${#base} -le 64 ] && [ -n "$own" ] && [ -w "$base" ] || base=/tmp
if [ "$base" = /tmp ] && [ -z "$(find /tmp -prune -type d -user 0 -perm -1000)" ]; then
	echo "neither the runtime directory nor /tmp is safe from other users" >&2
	exit 1
fi
dir=$(mktemp -d "$base/ltsp-sound-XXXXXXXXXX") || exit
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM PIPE # nobody may be there to be told
head -c 256 >"$dir/cookie" || exit

# Instead of the server's and the user's own, which are about daemons of the server's.
cat >"$dir/client.conf" <<END || exit
default-server = unix:$dir/native
cookie-file = $dir/cookie
autospawn = no
enable-shm = no
enable-memfd = no
END

# ALSA's programs play through PulseAudio's plug-in, if it is there. ALSA loads the
# files that hooks name after all others, so the default is ours whatever they say.
plugin=
for file in /usr/lib/*/alsa-lib /usr/lib64/alsa-lib /usr/lib/alsa-lib; do
	[ -e "$file/libasound_module_pcm_pulse.so" ] && plugin=yes
done
if [ -n "$plugin" ] && [ -r /usr/share/alsa/alsa.conf ]; then
	cat >"$dir/alsa.conf" <<END || exit
@hooks.1 {
	func load
	files [ "$dir/alsa-default.conf" ]
	errors false
}
END
	cat >"$dir/alsa-default.conf" <<END || exit
pcm.!default { type pulse hint { show on description "The sound of this client" } }
ctl.!default { type pulse }
END
	echo "ldm-sound alsa"
fi
echo "ldm-sound folder $dir"

read -r word
[ "$word" != keep ] || trap - EXIT
