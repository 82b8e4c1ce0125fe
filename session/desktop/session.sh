# Starts the desktop on the server, as the user: by ltsp-server-agent where
# there is one, else the plain way.
#
# For any POSIX shell. The lines are joined into one, so every statement ends
# with a semicolon and comments have lines of their own. What goes before:
# ldm_env, a function that exports the environment; ldm_name, the session's id or
# its Exec, or nothing; ldm_xsession, the session script, or nothing; ldm_menu, not
# empty if the client's menu follows.

ldm_env;
ldm_agent=$(PATH=$PATH:/usr/local/bin:/usr/bin:/usr/sbin; command -v ltsp-server-agent);
if [ -n "$ldm_agent" ]; then
	exec "$ldm_agent" session ${ldm_name:+--session "$ldm_name"} ${ldm_xsession:+--xsession "$ldm_xsession"} ${ldm_menu:+--local-menu};
fi;
echo "no ltsp-server-agent on this server: starting the desktop without it" >&2;
exec </dev/null;

# Prints the value of key $2 in the desktop entry $1, without field codes.
ldm_key() {
	sed -n "/^[[]Desktop Entry]/,/^[[]/s/^$2 *= *//p" "$1" | sed -e "s/ *%[A-Za-z]//g" -e "s/%%/%/g" -e 1q;
};

# Chooses the desktop entry that ldm_find looks at.
ldm_take() {
	ldm_exec=$ldm_command; ldm_id=$ldm_this; ldm_names=$(ldm_key "$ldm_file" DesktopNames);
};

# Finds the session ldm_name by its id, else by its Exec, else as a command on
# PATH. The name is only compared, so it leads to no other file.
ldm_find() {
	ldm_exec=; ldm_id=; ldm_names=;
	[ -n "$ldm_name" ] || return 0;
	for ldm_file in /usr/local/share/xsessions/*.desktop /usr/share/xsessions/*.desktop; do
		[ -r "$ldm_file" ] || continue;
		ldm_this=${ldm_file##*/}; ldm_this=${ldm_this%.desktop};
		ldm_command=$(ldm_key "$ldm_file" Exec);
		[ -n "$ldm_command" ] || continue;
		case $ldm_name in
			"$ldm_this") ldm_take; return 0;;
			"$ldm_command") [ -n "$ldm_exec" ] || ldm_take;;
		esac;
	done;
	[ -n "$ldm_exec" ] && return 0;
	ldm_this=${ldm_name%% *};
	case $ldm_this in
		*/*) ;;
		*) command -v "$ldm_this" >/dev/null && ldm_exec=$ldm_name && ldm_id=$ldm_this && return 0;;
	esac;
	echo "no session \"$ldm_name\" on this server: starting the default" >&2;
};

# Sets ldm_script to the session script that is to run, or to nothing.
ldm_scripts() {
	for ldm_script in /etc/X11/Xsession /etc/X11/xdm/Xsession /etc/X11/xinit/Xsession
		/etc/gdm3/Xsession /etc/gdm/Xsession /etc/lightdm/Xsession; do
		[ -x "$ldm_script" ] && return 0;
	done;
	ldm_script=;
};

# Becomes the session.
ldm_session() {
	trap - EXIT;
	set +eu;
	ldm_env;
	ldm_find;
	if [ -n "$ldm_id" ]; then
		export DESKTOP_SESSION="$ldm_id" XDG_SESSION_DESKTOP="$ldm_id";
	fi;
	ldm_names=$(echo "${ldm_names%;}" | tr ";" ":");
	[ -z "$ldm_names" ] || export XDG_CURRENT_DESKTOP="$ldm_names";
	ldm_scripts;
	ldm_script=${ldm_xsession:-$ldm_script};
	[ -z "$ldm_script" ] || exec "$ldm_script" ${ldm_exec:+"$ldm_exec"};
	set -f;
	exec ${ldm_exec:-x-session-manager};
};

# A login environment. The trap goes on with the session whatever the user's
# files do: return, exit, or fail to parse.
trap ldm_session EXIT;
[ -r /etc/profile ] && . /etc/profile;
[ -r "$HOME/.profile" ] && . "$HOME/.profile";
exit;
