package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"goldm/internal/testbed"
)

// The account on the server.
const (
	userName = "anna"
	password = "thin client"
)

// desktopFiles are in the home of the demo's user: icewm-session(1) starts a
// terminal and logs out without a question.
var desktopFiles = map[string]string{
	".icewm/startup":     "#!/bin/sh\nexec xterm -geometry 80x20+120+120\n",
	".icewm/preferences": "ConfirmLogout=0\n",
}

// stage is the client and the server, ready for a login.
type stage struct {
	*testbed.Bed
	log, sshd journal // what ldm and sshd said

	begin time.Time // of ldm
	ldm   *testbed.Cmd
	ended chan struct{} // closed when ldm has ended
}

// newStage brings both machines up, with everything but ldm.
func newStage(ctx context.Context, bin string) (*stage, error) {
	bed, err := testbed.New(ctx, testbed.Config{
		ClientPrograms: []string{
			filepath.Join(bin, "ldm"), filepath.Join(bin, "ldm-session"), filepath.Join(bin, "ldm-greeter"),
		},
		ServerPrograms: []string{
			filepath.Join(bin, "ltsp-server-agent"), filepath.Join(bin, "ltsp-session-agent"), filepath.Join(bin, "ltsp-localapps"),
		},
	})
	if err != nil {
		return nil, err
	}
	s := &stage{Bed: bed}
	if err := errors.Join(s.prepareServer(ctx), s.prepareClient(ctx)); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *stage) prepareServer(ctx context.Context) error {
	if err := s.Server.AddUser(ctx, userName, password); err != nil {
		return err
	}
	home := "/home/" + userName
	for name, text := range desktopFiles {
		if err := s.Server.WriteFile(path.Join(home, name), []byte(text), 0o755); err != nil {
			return err
		}
	}
	if _, err := s.Server.Output(ctx, "chown", "-R", userName+":", home+"/.icewm"); err != nil {
		return err
	}
	_, err := s.Server.StartSSHD(ctx, testbed.SSHDOptions{Log: &s.sshd})
	return err
}

func (s *stage) prepareClient(ctx context.Context) error {
	if err := s.Client.AddSystemUsers(ctx, "_ldm-greeter", "_ldm-session", "_ldm-probe", "_ldm-filter", "_ldm-x"); err != nil {
		return err
	}
	return s.Trust()
}

// start starts ldm, with an X server of choice. The context that it returns
// ends with ldm.
func (s *stage) start(ctx context.Context, xserver string) (context.Context, error) {
	config := fmt.Sprintf("[clients]\nLDM_SERVER=%s\nXSERVER=%q\nLOCAL_APPS=True\n", s.Server.Name, xserver)
	if err := s.Client.WriteFile("/etc/ltsp/ltsp.conf", []byte(config), 0o644); err != nil {
		return nil, err
	}
	// Not the context's to kill: Close lets it end in order.
	s.ldm = s.Client.Command(context.WithoutCancel(ctx), "root", "ldm", "run")
	s.ldm.Stdout, s.ldm.Stderr = &s.log, &s.log
	s.begin = time.Now()
	if err := s.ldm.Start(); err != nil {
		return nil, err
	}
	s.ended = make(chan struct{})
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		defer close(s.ended)
		s.ldm.Wait() // its state says how it was
		cancel(fmt.Errorf("ldm has ended: %s", s.ldm.ProcessState))
	}()
	return ctx, nil
}

// Close ends ldm in order and then everything.
func (s *stage) Close() error {
	if s.ended != nil {
		s.ldm.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.ended:
		case <-time.After(10 * time.Second):
		}
	}
	err := s.Bed.Close()
	if s.ended != nil {
		<-s.ended
	}
	return err
}

// writeLogs leaves what ldm and sshd said in a folder.
func (s *stage) writeLogs(folder string) error {
	return errors.Join(
		writeFile(filepath.Join(folder, "ldm.log"), s.log.bytes()),
		writeFile(filepath.Join(folder, "sshd.log"), s.sshd.bytes()),
	)
}

// writeFile writes a file that belongs to whom the folder belongs to, since the
// demo is root by sudo.
func writeFile(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	return ownLikeParent(path)
}

func ownLikeParent(path string) error {
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	parent := info.Sys().(*syscall.Stat_t)
	return os.Chown(path, int(parent.Uid), int(parent.Gid))
}

// journal keeps what is written to it, from several goroutines.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) bytes() []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Clone(j.text.Bytes())
}

func (j *journal) has(text string) bool { return bytes.Contains(j.bytes(), []byte(text)) }
