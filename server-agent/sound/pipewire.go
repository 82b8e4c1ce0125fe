package sound

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

var (
	//go:embed pipewire.conf
	pipewireConf string

	//go:embed tunnels.conf
	tunnelsConf string

	//go:embed wireplumber.conf
	wireplumberConf string

	//go:embed admit.lua
	admitLua string
)

const (
	socketName  = "pipewire-0"
	managerName = socketName + "-manager" // the daemons' own
	confName    = "pipewire.conf"
	tunnelsName = "tunnels.conf"

	// policyOfOld is a file of WirePlumber's before 0.5, which knows no profiles.
	policyOfOld = "/usr/share/wireplumber/policy.conf"
)

// listen listens for PipeWire's programs, if PipeWire is installed. Where it is not, they
// find no socket, and take to PulseAudio's if they can.
func (f *Folder) listen() error {
	if err := installed(); err != nil {
		f.log.Info("no PipeWire for the session", "why", err)
		return nil
	}
	if err := f.configure(); err != nil {
		return err
	}
	listener, err := listenUnix(filepath.Join(f.path, socketName))
	if err != nil {
		return err
	}
	f.listener = listener
	f.waiting.Go(f.wait)
	return nil
}

// installed says what is missing.
func installed() error {
	for _, program := range []string{"pipewire", "wireplumber"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	if _, err := os.Stat(policyOfOld); err == nil {
		return errors.New("WirePlumber is older than 0.5")
	}
	return nil
}

// configure writes the configuration of both daemons.
func (f *Folder) configure() error {
	server := lookup(f.env, "PULSE_SERVER")
	if all := server + f.path; strings.ContainsAny(all, "\"\\\n") {
		return fmt.Errorf("PULSE_SERVER or the folder's name: %.400q", all)
	}
	fill := strings.NewReplacer("@server@", server, "@folder@", f.path)
	profiles := filepath.Join("wireplumber", "wireplumber.conf.d")
	if err := os.MkdirAll(filepath.Join(f.path, profiles), 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{
		confName: pipewireConf, tunnelsName: tunnelsConf, filepath.Join(profiles, "ltsp.conf"): wireplumberConf, "admit.lua": admitLua,
	} {
		if err := os.WriteFile(filepath.Join(f.path, name), []byte(fill.Replace(text)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// listenUnix listens on a Unix socket. A net.Listener does not say when somebody
// waits, it only accepts.
func listenUnix(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	listener := os.NewFile(uintptr(fd), path)
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	if err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return listener, nil
}

// wait starts PipeWire when its first program waits for it.
func (f *Folder) wait() {
	raw, err := f.listener.SyscallConn()
	if err != nil {
		f.log.Warn("no PipeWire for the session", "err", err)
		return
	}
	err = raw.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
	if err != nil { // stopped
		return
	}
	// When it has died programs are to find nobody, so nobody else keeps the socket.
	defer f.listener.Close()
	if err := f.startDaemons(); err != nil {
		f.log.Warn("no PipeWire for the session", "err", err)
		return
	}
	f.log.Info("PipeWire started for the session")
}

// startDaemons starts PipeWire and WirePlumber, which meet at a socket of their own. It is made
// no earlier: wpctl would prefer it, and wait there for nobody.
func (f *Folder) startDaemons() error {
	own, err := listenUnix(filepath.Join(f.path, managerName))
	if err != nil {
		return err
	}
	defer own.Close()
	return errors.Join(
		f.start([]string{"sh", "-c", activate, "sh", "pipewire", "-c", filepath.Join(f.path, confName)}, f.listener, own),
		f.start([]string{"wireplumber", "-p", "ltsp"}),
		f.start([]string{"sh", "-c", revive, "sh", "pipewire", "-c", filepath.Join(f.path, tunnelsName)}),
	)
}

// activate is sd_listen_fds(3): the variable has to name the process that gets the socket.
const activate = `LISTEN_PID=$$; export LISTEN_PID; exec "$@"`

// revive starts again what fails or crashes.
const revive = `until "$@"; do sleep 1; done`

// start starts a daemon of the session, with more files from descriptor 3 on. It is
// below the session's wrapper, which ends it and waits for it.
func (f *Folder) start(argv []string, files ...*os.File) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	process, err := os.StartProcess(path, argv, &os.ProcAttr{
		Dir:   "/",
		Env:   f.environment(),
		Files: append([]*os.File{null, null, null}, files...),
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", argv[0], err)
	}
	return process.Release()
}

// environment returns the daemons': with the folder for all that they read and
// write, and without a D-Bus, which they would look for devices on.
func (f *Folder) environment() []string {
	set := map[string]string{
		"LISTEN_FDS":               "2",
		"PIPEWIRE_RUNTIME_DIR":     f.path,
		"PIPEWIRE_REMOTE":          filepath.Join(f.path, managerName),
		"PIPEWIRE_DEBUG":           "0",
		"WIREPLUMBER_DEBUG":        "0",
		"XDG_CONFIG_HOME":          f.path,
		"XDG_STATE_HOME":           f.path,
		"DBUS_SESSION_BUS_ADDRESS": "disabled:",
	}
	env := slices.DeleteFunc(slices.Clone(f.env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		_, is := set[name]
		return is
	})
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	return env
}
