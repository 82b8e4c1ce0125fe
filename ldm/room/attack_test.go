package room

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/hangfs"
)

// attack is what a hostile program of a room tries: the test's other half, inside.
func attack(words []string) {
	switch words[0] {
	case "holder":
		attackHolder()
	case "entering":
		attackEntering()
	}
}

// attackHolder tries what makes another process one's own.
func attackHolder() {
	runtime.LockOSThread()
	report := func(what string, err error) { fmt.Printf("%s: %v\n", what, err) }
	report("attach", syscall.PtraceAttach(1))
	report("seize", unix.PtraceSeize(1))
	_, err := os.OpenFile("/proc/1/mem", os.O_RDWR, 0)
	report("mem", err.(*os.PathError).Err)
	buffer := make([]byte, 8)
	_, err = unix.ProcessVMReadv(1, []unix.Iovec{{Base: &buffer[0], Len: 8}}, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
	report("read", err)
	pidfd, err := unix.PidfdOpen(1, 0)
	if err == nil {
		_, err = unix.PidfdGetfd(pidfd, 0, 0)
	}
	report("descriptor", err)
	_, err = os.Readlink("/proc/1/ns/mnt")
	report("namespace", err.(*os.PathError).Err)
	_, err = os.Open("/proc/1/root/etc/passwd")
	report("root", err.(*os.PathError).Err)
}

// attackEntering traces each process that appears, as fast as it can, and reports those that it
// got hold of while they were still ours.
func attackEntering() {
	runtime.LockOSThread()
	fmt.Println("up")
	self, seen := os.Getpid(), 0
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		entries, _ := os.ReadDir("/proc")
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || pid == self || pid == 1 || unix.PtraceSeize(pid) != nil {
				continue
			}
			seen++
			exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
			if strings.HasSuffix(exe, ".test") {
				fmt.Printf("caught %d\n", pid)
			}
			unix.PtraceInterrupt(pid)
			unix.Wait4(pid, nil, unix.WALL, nil)
			unix.PtraceDetach(pid)
		}
		if _, err := os.Stat("/tmp/done"); err == nil {
			break
		}
	}
	fmt.Printf("traced some: %t\n", seen > 0)
}

// hostile is this test's program at a path that rooms see.
func hostile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/usr/local", "goldm-room-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hostile")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAttackHolder(t *testing.T) {
	r := open(t, nil)
	defer r.Close()
	want := "attach: operation not permitted\nseize: operation not permitted\nmem: permission denied\n" +
		"read: operation not permitted\ndescriptor: operation not permitted\nnamespace: permission denied\nroot: permission denied\n"
	if got := output(t, r, "exec "+hostile(t)+" attack holder", Command{}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// Neither from a user namespace of its own, where it is root.
	if got := output(t, r, "exec unshare -U -r "+hostile(t)+" attack holder", Command{}); got != want {
		t.Errorf("as root of a namespace: got\n%s\nwant\n%s", got, want)
	}
}

// A process of ours cannot be caught on its way from root to the program.
func TestAttackEntering(t *testing.T) {
	r := open(t, nil)
	defer r.Close()
	out, p := begin(t, r, "exec "+hostile(t)+" attack entering", Command{})
	if line, err := out.ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	for range 30 {
		output(t, r, "sleep 0.01", Command{Bounded: true, Folder: r.Runtime() + "/x", After: []string{"/tmp"}})
	}
	output(t, r, "touch /tmp/done", Command{})
	text, err := io.ReadAll(out)
	if err != nil || string(text) != "traced some: true\n" {
		t.Errorf("got %q, %v", text, err)
	}
	<-p.Done()
}

// The review's way to root: a program takes over what ldm enters, and mounts its own files where
// ldm writes. Whatever it mounts is seen by itself alone.
func TestAttackMountsOfItsOwn(t *testing.T) {
	r := open(t, func(c *Config) { c.Homes = []string{"/home"} })
	defer r.Close()
	victim := filepath.Join(filepath.Dir(hostile(t)), "victim")
	if err := os.WriteFile(victim, []byte("root's"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := `ln -s ` + filepath.Dir(victim) + ` $R/own
		exec unshare -U -r -m --propagation unchanged sh -c '
		mkdir -p /tmp/fake; for d in 1 self thread-self; do mkdir -p /tmp/fake/$d; ln -s ` + victim + ` /tmp/fake/$d/oom_score_adj; done
		mount --rbind /tmp/fake /proc; mount --bind /tmp /home; mount --bind /tmp /run/user; echo up; exec sleep 1000'`
	out, _ := begin(t, r, "R="+r.Runtime()+"; "+script, Command{})
	if line, err := out.ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	before := listing(t, "/etc", filepath.Dir(victim))
	for range 5 {
		if got := output(t, r, "cat /proc/self/oom_score_adj; ls -A /home", Command{Bounded: true, Folder: r.Runtime() + "/own"}); got != "500\n" {
			t.Errorf("the next program has %q", got)
		}
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "root's" {
		t.Errorf("root's file has %q, %v", text, err)
	}
	if after := listing(t, "/etc", filepath.Dir(victim)); !slices.Equal(before, after) {
		t.Errorf("root's folders were\n%q, are\n%q", before, after)
	}
}

// listing says whose the files of folders are.
func listing(t *testing.T, folders ...string) (list []string) {
	t.Helper()
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range append(entries, nil) {
			path := folder
			if e != nil {
				path = filepath.Join(folder, e.Name())
			}
			var stat unix.Stat_t
			if err := unix.Lstat(path, &stat); err != nil {
				t.Fatal(err)
			}
			list = append(list, fmt.Sprint(path, stat.Mode, stat.Uid, stat.Gid, stat.Mtim))
		}
	}
	return list
}

// What hides something cannot be taken off, as root of a namespace either, and no device can
// be made.
func TestAttackCovers(t *testing.T) {
	if err := os.MkdirAll(configDir, 0o755); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(filepath.Dir(hostile(t)), "secret.conf")
	for _, path := range []string{secret, filepath.Join(configDir, "goldm-test.conf")} {
		if err := os.WriteFile(path, []byte("LDM_PASSWORD=x\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(path)
	}
	r := open(t, func(c *Config) { c.Hidden = []string{secret, "/nonexistent"} })
	defer r.Close()
	script := `echo "LANG=C; for p in /dev /dev/shm /run /etc/ltsp /tmp /var/tmp ` + secret + ` /proc; do umount \$p 2>/dev/null && echo off \$p; umount -l \$p 2>/dev/null && echo off \$p; done
		mount -o remount,rw / 2>/dev/null && echo writable; mount -o remount,bind,rw /usr 2>/dev/null && echo writable
		mknod /tmp/fuse c 10 229 2>/dev/null && echo made; ls /dev/fuse /dev/cuse /dev/kmsg /run/dbus /run/systemd/journal 2>/dev/null
		mount -t devtmpfs none /tmp 2>/dev/null && echo devtmpfs
		cat ` + secret + ` 2>/dev/null; ls -A /etc/ltsp 2>/dev/null; ls /tmp/../run/dbus 2>/dev/null" > /tmp/s
		sh /tmp/s; unshare -U -r -m --propagation unchanged sh /tmp/s; echo end`
	if got := output(t, r, script, Command{}); got != "end\n" {
		t.Errorf("got\n%s", got)
	}
}

// All that a program can write is the room's own, and no more of it than half of the memory.
func TestAttackWritablePlaces(t *testing.T) {
	r := open(t, func(c *Config) { c.Homes, c.Displays = []string{"/home"}, folder(t) })
	defer r.Close()
	script := `find / -path /proc -prune -o ! -type l \( -writable -o -user 39990 \) ! -path '/sys/*' -print 2>/dev/null | sort; find /sys -type f -writable 2>/dev/null | head -3
		for d in /tmp /var/tmp /run/lock /run/user/39990 /dev/shm; do stat -f -c %b:%S $d; done`
	got := output(t, r, script, Command{Network: true, Groups: []int{29, 44}})
	places, sizes := splitAt(got, "/var/tmp\n")
	var own []string
	for _, line := range strings.Fields(places) {
		if strings.HasPrefix(line, "/dev/snd/") || strings.HasPrefix(line, "/dev/dri/") || strings.HasPrefix(line, "/run/") && isSocketFolder(line) {
			continue // this machine's, which differ
		}
		own = append(own, line)
	}
	want := []string{"/dev/full", "/dev/null", "/dev/pts/ptmx", "/dev/random", "/dev/shm", "/dev/tty", "/dev/urandom", "/dev/zero",
		"/run/lock", "/run/user/39990", "/tmp", "/var/tmp"}
	if !slices.Equal(own, want) {
		t.Errorf("a program can write\n%q, not\n%q", own, want)
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for i, line := range strings.Fields(sizes) {
		blocks, size, _ := strings.Cut(line, ":")
		b, _ := strconv.ParseUint(blocks, 10, 64)
		s, _ := strconv.ParseUint(size, 10, 64)
		if i == 0 || i > 2 { // the first three are one
			sum += b * s
		}
		if b == 0 {
			t.Errorf("place %d has no bound", i)
		}
	}
	if most := info.Totalram * uint64(info.Unit) / 2; sum > most+most/50 {
		t.Errorf("they hold %d bytes, more than half of the memory, %d", sum, most)
	}
}

func splitAt(text, end string) (string, string) {
	i := strings.LastIndex(text, end)
	if i < 0 {
		return text, ""
	}
	return text[:i+len(end)], text[i+len(end):]
}

func isSocketFolder(path string) bool {
	return slices.ContainsFunc(runtimeFolders, func(f string) bool { return strings.HasPrefix(path, "/run/"+f+"/") })
}

// A program that waits in the kernel, for a file system that does not answer, does not hold the
// room's end. Where the file system is its own it ends, too.
func TestAttackHang(t *testing.T) {
	for name, owner := range map[string]int{"its own": local.UID, "another's": 0} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(filepath.Dir(hostile(t)), "hang")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			fs, err := hangfs.Mount(dir, owner, owner)
			if err != nil {
				t.Fatal(err)
			}
			defer fs.Close()
			r := open(t, nil)
			begin(t, r, "exec ls "+dir, Command{})
			select {
			case <-fs.Asked():
			case <-time.After(limit):
				t.Fatal("nobody waits")
			}
			ended := make(chan error)
			go func() { ended <- r.Close() }()
			select {
			case err = <-ended:
			case <-time.After(limit):
				t.Fatal("the room does not end")
			}
			if owner == 0 {
				if err == nil || !strings.Contains(err.Error(), `"ls" in state D`) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Error(err)
			}
			select {
			case <-fs.Ended():
			case <-time.After(limit):
				t.Error("the file system was not ended")
			}
		})
	}
}
