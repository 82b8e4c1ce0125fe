// Package xtest gives tests a real X server, and decides what happens where a
// program that a test needs is not installed: the test is skipped, in CI it fails.
package xtest

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goldm/internal/xauth"
)

// Need skips the test unless the programs are installed. Where CI=true, a
// program that is missing is a failure.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, and in CI nothing may be skipped", program)
		}
		t.Skipf("%s is not installed", program)
	}
}

// Server is an Xvfb that lives as long as its test.
type Server struct {
	Display   string // such as ":3"
	Number    int
	Cookie    []byte // MIT-MAGIC-COOKIE-1
	Authority string // the Xauthority file that holds it

	cmd *exec.Cmd
}

// Start starts an Xvfb with a cookie of its own, on a free display number.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	Need(t, "Xvfb")
	s := &Server{Cookie: xauth.NewCookie(), Authority: filepath.Join(t.TempDir(), "Xauthority")}
	entry := xauth.Entry{Family: xauth.Wild, Name: xauth.MITMagicCookie, Data: s.Cookie}
	WriteAuthority(t, s.Authority, entry)

	told, tell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	var log bytes.Buffer
	args = append([]string{"-displayfd", "3", "-auth", s.Authority, "-nolisten", "tcp", "-noreset"}, args...)
	cmd := exec.Command("Xvfb", args...)
	cmd.ExtraFiles = []*os.File{tell}
	cmd.Stderr = &log
	err = cmd.Start()
	tell.Close()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = cmd
	t.Cleanup(s.Stop)

	s.Number, err = readNumber(told)
	if err != nil {
		s.Stop()
		t.Fatalf("Xvfb did not start: %v\n%s", err, log.String())
	}
	s.Display = ":" + strconv.Itoa(s.Number)
	return s
}

// Path returns the server's Unix socket.
func (s *Server) Path() string { return "/tmp/.X11-unix/X" + strconv.Itoa(s.Number) }

// PID returns the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// readNumber reads the display's number, which the server writes as soon as it
// takes connections (Xserver(1), -displayfd). The line's end comes by itself,
// and a server that cannot write it dies.
func readNumber(r *os.File) (int, error) {
	if err := r.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(io.LimitReader(r, 16)).ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(line))
}

// Stop ends the server, which removes its socket; a test's end does so anyway.
func (s *Server) Stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	stuck := time.AfterFunc(5*time.Second, func() { s.cmd.Process.Kill() })
	defer stuck.Stop()
	s.cmd.Wait() // an error after the first time
}

// WriteAuthority writes an Xauthority file that only its owner can read.
func WriteAuthority(t testing.TB, name string, entries ...xauth.Entry) {
	t.Helper()
	var out bytes.Buffer
	if err := xauth.Write(&out, entries); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
