package ldm

import (
	"golang.org/x/sys/unix"

	"goldm/internal/privs"
)

// ownCapabilities are what ldm itself needs of root's power, and the processes that it makes as root to
// prepare a program.
var ownCapabilities = privs.CapabilitySet(
	unix.CAP_SYS_ADMIN,    // mounts and namespaces of greeter, workers and rooms; a home's FUSE mount
	unix.CAP_SYS_CHROOT,   // to enter a room's mount namespace: setns(2)
	unix.CAP_SYS_PTRACE,   // to reach namespaces of other users' processes: /proc/PID/ns, pidfd
	unix.CAP_SYS_RESOURCE, // a sound daemon's real-time limit; limits and OOM scores of local programs
	unix.CAP_SETUID,       // to become the programs' users
	unix.CAP_SETGID,       // and their groups
	unix.CAP_SETPCAP,      // to empty a program's bounding set
	unix.CAP_CHOWN,        // homes, cookies and sockets are their users'
	unix.CAP_DAC_OVERRIDE, // to remove what a program has left in its folders
	unix.CAP_FOWNER,       // to change the mode of a socket that was given away
	unix.CAP_KILL,         // to end programs of other users
	unix.CAP_MKNOD,        // a room without a microphone has sound devices of its own
)

// xCapabilities are what an X server has that runs as root: Xorg, which opens the console and the graphics
// card itself. ldm holds them to hand them on.
var xCapabilities = privs.CapabilitySet(
	unix.CAP_SYS_ADMIN,      // to be the graphics card's master: drm(7)
	unix.CAP_SYS_TTY_CONFIG, // to switch virtual terminals: ioctl_console(2)
	unix.CAP_DAC_OVERRIDE,   // keyboards, mice and the console belong to other groups or users
	unix.CAP_CHOWN,          // the console's terminal
	unix.CAP_FOWNER,         // the folder of its socket is sticky
	unix.CAP_IPC_OWNER,      // pictures in memory that it shares with the programs of other users: MIT-SHM
	unix.CAP_KILL,           // to ask whether the process of an old lock file lives
	unix.CAP_SETUID,         // it starts xkbcomp as the user who called it
	unix.CAP_SETGID,
)

// Capabilities are all that ldm keeps. It gives up every other one when it starts, for its children too: no
// kernel module, no raw disk or port, no network set-up, no clock.
func Capabilities() privs.Capabilities { return ownCapabilities | xCapabilities }
