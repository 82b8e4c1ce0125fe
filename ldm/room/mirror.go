package room

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
)

// mirrored are the folders of /dev whose devices a room has: sound and graphics cards.
var mirrored = []string{"snd", "dri"}

// Patterns of the devices that a room has, below /dev. Users reach them by their groups, as
// on the machine. Those of the second list record nothing.
var (
	deskDevices = []string{"snd/*", "dri/*", "video*", "media*", "nvidia*", "kfd"}
	playDevices = []string{"snd/controlC*", "snd/pcmC*D*p", "snd/timer", "dri/*"}
)

// node is a device as stat(2) has it.
type node struct {
	number   uint64
	mode     uint32
	uid, gid int
}

// mirror keeps a room's /dev as the machine's is, as devices come and go.
type mirror struct {
	folder   *os.File // the stage's, whose names lead to nothing but what is made here
	user     privs.User
	playOnly bool
	log      *slog.Logger

	events   *os.File // of inotify(7); nil where the machine has none left
	watching sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

// comesAndGoes are the events of a folder that sync is for. Writing to a device is none.
const comesAndGoes = unix.IN_CREATE | unix.IN_DELETE | unix.IN_ATTRIB | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_ONLYDIR

// newMirror fills a folder, and keeps it so until close.
func newMirror(folder *os.File, user privs.User, playOnly bool, log *slog.Logger) *mirror {
	m := &mirror{folder: folder, user: user, playOnly: playOnly, log: log}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		log.Warn("devices that are plugged in later are seen at the next program's start", "cause", err)
	} else {
		m.events = os.NewFile(uintptr(fd), "inotify")
		m.watching.Go(m.watch)
	}
	m.sync()
	return m
}

// watch syncs after events. What they say does not matter.
func (m *mirror) watch() {
	for buffer := make([]byte, 4<<10); ; {
		if _, err := m.events.Read(buffer); err != nil {
			return // closed
		}
		m.sync()
	}
}

// addWatches watches the folders that there are; of another one its maker's event tells.
func (m *mirror) addWatches() {
	if m.events == nil {
		return
	}
	raw, err := m.events.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		for _, dir := range append([]string{""}, mirrored...) {
			unix.InotifyAddWatch(int(fd), filepath.Join("/dev", dir), comesAndGoes)
		}
	})
}

// close leaves the folder to its namespace's end.
func (m *mirror) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	if m.events != nil {
		m.events.Close()
	}
	m.watching.Wait()
	m.folder.Close()
}

// sync makes the folder what the machine's /dev is now.
func (m *mirror) sync() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.addWatches()
	wanted := m.wanted()
	for name := range m.present() {
		if _, ok := wanted[name]; !ok {
			unix.Unlinkat(int(m.folder.Fd()), name, 0)
		}
	}
	for name, n := range wanted {
		if err := m.make(name, n); err != nil {
			m.log.Warn("a device is not there for local programs", "device", name, "cause", err)
		}
	}
}

// wanted lists the machine's devices that the room is to have.
func (m *mirror) wanted() map[string]node {
	patterns := deskDevices
	if m.playOnly {
		patterns = playDevices
	}
	nodes := make(map[string]node)
	for _, pattern := range patterns {
		paths, _ := filepath.Glob(filepath.Join("/dev", pattern))
		for _, at := range paths {
			var stat unix.Stat_t
			if unix.Lstat(at, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFCHR {
				continue // unplugged meanwhile, or no device
			}
			n := node{number: stat.Rdev, mode: stat.Mode & 0o777, uid: int(stat.Uid), gid: int(stat.Gid)}
			if m.playOnly && path.Dir(at) == "/dev/snd" { // its group would open what records
				n.mode, n.uid, n.gid = 0o600, m.user.UID, m.user.GID
			}
			name, _ := filepath.Rel("/dev", at)
			nodes[name] = n
		}
	}
	return nodes
}

// present lists the devices in the folder that came from the machine.
func (m *mirror) present() map[string]struct{} {
	names := make(map[string]struct{})
	files := os.DirFS(fmt.Sprintf("/proc/self/fd/%d", m.folder.Fd()))
	for _, pattern := range deskDevices {
		found, _ := fs.Glob(files, pattern)
		for _, name := range found {
			names[name] = struct{}{}
		}
	}
	return names
}

// make makes one device, or mends the one that is there.
func (m *mirror) make(name string, n node) error {
	dir := int(m.folder.Fd())
	var stat unix.Stat_t
	err := unix.Fstatat(dir, name, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && stat.Rdev != n.number {
		err = errors.Join(unix.Unlinkat(dir, name, 0), syscall.ENOENT)
	}
	if errors.Is(err, syscall.ENOENT) {
		if err = unix.Mknodat(dir, name, unix.S_IFCHR, int(n.number)); err != nil {
			return err
		}
		stat = unix.Stat_t{}
	}
	if err != nil {
		return err
	}
	if stat.Mode&0o777 == n.mode && int(stat.Uid) == n.uid && int(stat.Gid) == n.gid {
		return nil
	}
	// Its mode last: meanwhile it is nobody's.
	return errors.Join(unix.Fchownat(dir, name, n.uid, n.gid, unix.AT_SYMLINK_NOFOLLOW), unix.Fchmodat(dir, name, n.mode, 0))
}
