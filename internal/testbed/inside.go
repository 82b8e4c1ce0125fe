package testbed

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The descriptors that a machine's first process inherits.
const (
	lifelineFD = 3 // first its plan; end of file ends the machine
	reportFD   = 4 // closed without a word once the machine is up
)

// plan is what the first process of a machine makes of it.
type plan struct {
	Hostname string
	Hosts    string // the text of /etc/hosts
	Tree     string // root of the Debian tree, which stays as it is
	Scratch  string // an empty folder to mount the machine's own tmpfs on
	Programs []string
	Fuse     bool
}

// runMachine is the first process of a machine: it builds the machine around
// itself, then reaps until the lifeline ends. Its death kills all others.
func runMachine() error {
	lifeline := bufio.NewReader(os.NewFile(lifelineFD, "lifeline"))
	unix.CloseOnExec(lifelineFD)
	report := os.NewFile(reportFD, "report")
	line, err := lifeline.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	var p plan
	if err := json.Unmarshal(line, &p); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	if err := p.build(); err != nil {
		fmt.Fprint(report, err)
		return err
	}
	report.Close()
	go reap()
	_, err = io.Copy(io.Discard, lifeline)
	return err
}

// reap waits for the children that their parents left behind. One signal may
// stand for several of them.
func reap() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	for range ended {
		for {
			pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
			if err == unix.EINTR {
				continue
			}
			if err != nil || pid == 0 {
				break
			}
		}
	}
}

// build turns the fresh namespaces into a machine.
func (p *plan) build() error {
	unix.Umask(0)
	steps := []func() error{
		p.mountRoot, // and make it the working directory
		mountSystem,
		p.mountDev,
		p.bindPrograms,
		enterRoot,
		p.name,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	unix.Umask(0o022)
	return nil
}

// mountRoot lays the machine's own tmpfs over the tree. The tree is named by a
// descriptor, since a path may hold what mount options give a meaning.
func (p *plan) mountRoot() error {
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	tree, err := os.Open(p.Tree)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := mount("tmpfs", p.Scratch, "tmpfs", 0, "mode=0755"); err != nil {
		return err
	}
	if err := os.Chdir(p.Scratch); err != nil {
		return err
	}
	if err := mkdirs(0o755, "upper", "work", "root"); err != nil {
		return err
	}
	layers := fmt.Sprintf("lowerdir=/proc/self/fd/%d,upperdir=upper,workdir=work", tree.Fd())
	if err := mount("overlay", "root", "overlay", 0, layers); err != nil {
		return err
	}
	return os.Chdir("root")
}

// mountSystem mounts what the kernel offers. What /sys and /proc/sys would
// change is the host's, so they are read-only.
func mountSystem() error {
	return errors.Join(
		mount("proc", "proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""),
		// Else an IPv6 address is of no use for a second (RFC 4862, 5.4).
		os.WriteFile("proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0),
		mount("proc/sys", "proc/sys", "", unix.MS_BIND, ""),
		mount("", "proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""),
		mount("sysfs", "sys", "sysfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""),
		mount("tmpfs", "run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"),
		mkdirs(0o755, "run/sshd", "run/user"),
		mkdirs(0o1777, "run/lock"),
		mount("tmpfs", "tmp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"),
		// As tmpfiles.d(5) of Debian's x11-common: X servers that are not root need them.
		mkdirs(0o1777, "tmp/.X11-unix", "tmp/.ICE-unix"),
	)
}

// devices are the character devices of a machine: all that programs take for
// granted, and none that reaches hardware.
var devices = []struct {
	name         string
	major, minor uint32
	mode         uint32
}{
	{"null", 1, 3, 0o666},
	{"zero", 1, 5, 0o666},
	{"full", 1, 7, 0o666},
	{"random", 1, 8, 0o666},
	{"urandom", 1, 9, 0o666},
	{"tty", 5, 0, 0o666},
	{"fuse", 10, 229, 0o666},
}

func (p *plan) mountDev() error {
	if err := mount("tmpfs", "dev", "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0755"); err != nil {
		return err
	}
	for _, d := range devices {
		if d.name == "fuse" && !p.Fuse {
			continue
		}
		if err := unix.Mknod("dev/"+d.name, unix.S_IFCHR|d.mode, int(unix.Mkdev(d.major, d.minor))); err != nil {
			return fmt.Errorf("mknod /dev/%s: %w", d.name, err)
		}
	}
	return errors.Join(
		mkdirs(0o755, "dev/pts", "dev/shm"),
		mount("tmpfs", "dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"),
		mount("devpts", "dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"),
		os.Symlink("pts/ptmx", "dev/ptmx"),
		os.Symlink("/proc/self/fd", "dev/fd"),
		os.Symlink("/proc/self/fd/0", "dev/stdin"),
		os.Symlink("/proc/self/fd/1", "dev/stdout"),
		os.Symlink("/proc/self/fd/2", "dev/stderr"),
	)
}

// bindPrograms shows programs of the host in /usr/local/bin, read-only.
func (p *plan) bindPrograms() error {
	for _, program := range p.Programs {
		target := filepath.Join("usr/local/bin", filepath.Base(program))
		if err := os.WriteFile(target, nil, 0o755); err != nil {
			return err
		}
		err := errors.Join(
			mount(program, target, "", unix.MS_BIND, ""),
			mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID, ""),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// enterRoot makes the working directory the root and drops the old one; the
// way without a folder for the old root is that of pivot_root(2), NOTES.
func enterRoot() error {
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the old root: %w", err)
	}
	return os.Chdir("/")
}

// name gives the machine what makes it an individual.
func (p *plan) name() error {
	if err := unix.Sethostname([]byte(p.Hostname)); err != nil {
		return fmt.Errorf("sethostname: %w", err)
	}
	id := make([]byte, 16)
	rand.Read(id)
	files := map[string]string{
		"/etc/hostname":    p.Hostname + "\n",
		"/etc/hosts":       p.Hosts,
		"/etc/resolv.conf": "", // there is no name server: names come from /etc/hosts
		"/etc/machine-id":  fmt.Sprintf("%x\n", id),
	}
	for path, text := range files {
		os.Remove(path) // the tree may have a symbolic link there
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", strings.TrimSpace(kind+" "+source), target, err)
	}
	return nil
}

func mkdirs(mode uint32, paths ...string) error {
	for _, path := range paths {
		if err := unix.Mkdir(path, mode); err != nil {
			return fmt.Errorf("mkdir %s: %w", path, err)
		}
	}
	return nil
}
