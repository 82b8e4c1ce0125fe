package session_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"goldm/session/internal/sshtest"
)

func TestSubsystem(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{Subsystem: func(name string, channel ssh.Channel) {
		// More than a window of what nobody reads.
		io.Copy(channel.Stderr(), io.LimitReader(zeros{}, 4<<20))
		io.WriteString(channel, name)
	}})
	client := mustDial(t, server)
	channel, err := client.Subsystem(t.Context(), "sftp")
	if err != nil {
		t.Fatal(err)
	}
	defer channel.Close()
	if got, err := io.ReadAll(channel); string(got) != "sftp" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A server without it keeps its connection, and so does one that is too slow.
func TestSubsystemRefused(t *testing.T) {
	client := mustDial(t, sshtest.Start(t, sshtest.Config{}))
	if _, err := client.Subsystem(t.Context(), "sftp"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if channel, err := client.Subsystem(ctx, "sftp"); err == nil {
		channel.Close()
	} else if !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	if client.Err() != nil {
		t.Errorf("the connection ended: %v", client.Err())
	}
	client.Close()
	if _, err := client.Subsystem(t.Context(), "sftp"); err == nil {
		t.Error("a subsystem on a closed connection")
	}
}
