package testbed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// newSuffix is added to the name of a tree that is not complete.
const newSuffix = ".new"

// buildOptions are those of mmdebstrap(1).
var buildOptions = []string{
	"--mode=root",
	"--variant=minbase",
	"--format=directory",
	"--dpkgopt=force-unsafe-io", // a tree cut short by a power failure is not used anyway
	"--dpkgopt=path-exclude=/usr/share/doc/*",
	"--dpkgopt=path-exclude=/usr/share/man/*",
	"--dpkgopt=path-exclude=/usr/share/locale/*",
	"--dpkgopt=path-include=/usr/share/locale/de/*",
	"--dpkgopt=path-include=/usr/share/locale/locale.alias",
	`--aptopt=Acquire::Retries "3"`,
}

// builder builds a tree.
type builder struct {
	suite    string
	extra    string // a list of further packages
	progress progress
}

// packages are those of the tree.
func (b builder) packages() []string { return packages(packagesList+"\n"+b.extra, b.suite) }

// build makes the tree beside root and moves it there when it is complete. No
// service is started: mmdebstrap installs a policy-rc.d that forbids it.
func (b builder) build(ctx context.Context, root string) error {
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		return fmt.Errorf("%w: make test and make demo install it", err)
	}
	temp := root + newSuffix
	if err := os.RemoveAll(temp); err != nil { // of a build that was interrupted
		return err
	}
	b.progress.say("building a Debian %s of %d packages, which takes a minute or two", b.suite, len(b.packages()))
	if err := b.mmdebstrap(ctx, temp); err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	if err := os.Rename(temp, root); err != nil {
		return err
	}
	b.progress.say("ready")
	return nil
}

// mmdebstrap runs in mount and PID namespaces of its own, so that whatever it
// mounts and starts goes when it is killed.
func (b builder) mmdebstrap(ctx context.Context, target string) error {
	work, err := os.MkdirTemp("", "goldm-tree-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	customize := filepath.Join(work, "customize.sh")
	if err := os.WriteFile(customize, []byte(customizeScript), 0o755); err != nil {
		return err
	}
	args := []string{"--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc", "mmdebstrap"}
	args = append(args, buildOptions...)
	for _, option := range hostAptOptions(ctx) {
		args = append(args, "--aptopt="+option)
	}
	args = append(args, "--customize-hook="+customize, "--include="+strings.Join(b.packages(), ","), b.suite, target)
	cmd := exec.CommandContext(ctx, "unshare", args...)
	sources, err := hostSources(os.DirFS("/etc/apt"), b.suite)
	if err != nil {
		return err
	}
	if sources != "" { // else mmdebstrap uses the mirror that it knows
		cmd.Args = append(cmd.Args, "-")
		cmd.Stdin = strings.NewReader(sources)
	}
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL}
	return b.watch(cmd)
}

// watch runs a command, passes on what it says that it does, and gives a sign
// of life where it says nothing for long.
func (b builder) watch(cmd *exec.Cmd) error {
	runtime.LockOSThread() // on whose death the command would be killed
	defer runtime.UnlockOSThread()
	output, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(output); s.Scan(); {
			lines <- s.Text()
		}
		io.Copy(io.Discard, output) // after a line too long for a Scanner
	}()
	last := b.follow(lines)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("mmdebstrap: %w\n%s", err, strings.Join(last, "\n"))
	}
	return nil
}

// follow reports steps ("I: …") and returns the last lines of all.
func (b builder) follow(lines <-chan string) (last []string) {
	const keep = 20
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	step := "starting"
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				return last
			}
			if text, ok := strings.CutPrefix(line, "I: "); ok {
				step = text
				b.progress.say("%s", step)
			}
			if last = append(last, line); len(last) > keep {
				last = last[1:]
			}
		case <-tick.C:
			b.progress.say("still %s", step)
		}
	}
}
