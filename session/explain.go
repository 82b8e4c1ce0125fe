package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/internal/failure"
	"goldm/internal/text"
)

// ErrUnreachable is in the chain of an error that says nothing about the user:
// the server is not there, is busy, or is none. Another server may do.
var ErrUnreachable = errors.New("server cannot be reached")

// errLost is in the chain of an error for a connection that ended without a word.
var errLost = errors.New("connection lost")

// busyError is the cause of ErrUnreachable where the server turned the connection away.
type busyError struct {
	said  bool // in words of its own
	cause error
}

func (e *busyError) Error() string { return "server busy: " + e.cause.Error() }
func (e *busyError) Unwrap() error { return e.cause }

// Patience is how long it is worth while to try again what ended with err: 0 for
// anything but a busy server. One that says so is worth two minutes, in which sshd
// closes whatever keeps its places for logins taken (LoginGraceTime), and forgives an
// address its penalties. One that closes without a word may just be broken.
func Patience(err error) time.Duration {
	busy, ok := errors.AsType[*busyError](err)
	switch {
	case !ok:
		return 0
	case busy.said:
		return 2 * time.Minute
	}
	return 20 * time.Second
}

// Busy tells the person that a server is tried again.
func Busy(server string) string {
	return fmt.Sprintf("The server %s is busy. Trying again…", server)
}

// unreachable is a failure with ErrUnreachable in its chain.
func unreachable(cause error, format string, args ...any) error {
	return failure.New(fmt.Errorf("%w: %w", ErrUnreachable, cause), format, args...)
}

// notConnected explains why there is no TCP connection.
func notConnected(config Config, err error) error {
	server := name(config.Host, config.Port)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return unreachable(err, "There is no server named %s. Check the name, or ask the administrator.", config.Host)
	case errors.As(err, &dns):
		return unreachable(err, "The network could not tell where the server %s is. Check the network cable, then try again.", config.Host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return unreachable(err, "The server %s is there, but takes no logins. Ask the administrator to start SSH on it.", server)
	case errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return unreachable(err, "The server %s does not answer. Check that it is switched on, then try again.", server)
	}
	return unreachable(err, "The server %s cannot be reached. Check the network cable, then try again.", server)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// explain says why there is a connection but no login.
func (a *attempt) explain(ctx context.Context, err error) error {
	server := name(a.config.Host, a.config.Port)
	if ctx.Err() != nil {
		return fmt.Errorf("log in to %s: %w", server, context.Cause(ctx))
	}
	var known *failure.Failure
	if errors.As(err, &known) {
		return err
	}
	if ours := a.dialogue.Err(); ours != nil {
		return fmt.Errorf("log in to %s: %w", server, ours)
	}
	lost := a.line.lost()
	var reason string
	var algorithms *ssh.AlgorithmNegotiationError
	switch {
	case errors.Is(lost, errTurn):
		return failure.New(lost, "The server %s stopped answering during the login. Try again.", server)
	case errors.As(err, &algorithms):
		return unreachable(err, "The server %s has no encryption that this client accepts. Ask the administrator to update it.", server)
	case !a.began:
		return noHandshake(server, a.line, err)
	case disconnected(err, &reason):
		return failure.Refuse(err, "The server %s ended the login. It says: %s", server, reason)
	case a.dialogue.Said() != "":
		// sshd says what PAM has against an account, and closes.
		return failure.Refuse(err, "The server %s did not let you in. It says: %s", server, a.dialogue.Said())
	}
	return failure.New(fmt.Errorf("%w: %w", errLost, err), "The connection to the server %s was lost during the login. Try again.", server)
}

// noHandshake explains a connection on which no authentication began.
func noHandshake(server string, l *line, err error) error {
	head, isSSH := l.greeting()
	timedOut := errors.Is(l.lost(), errHandshake)
	switch {
	case timedOut && len(head) == 0, timedOut && isSSH:
		return unreachable(l.lost(), "The server %s took the connection, but does not answer. Try again in a minute.", server)
	case len(head) == 0 || saysBusy(head):
		return unreachable(&busyError{len(head) > 0, err}, "The server %s is busy. Try again in a moment.", server)
	case !isSSH:
		return unreachable(err, "%s is no login server: what answers there does not speak SSH. Ask the administrator.", server)
	}
	return unreachable(err, "The server %s broke the connection off before the login began. "+
		"Try again; if it stays so, ask the administrator.", server)
}

// saysBusy reports whether sshd turned a connection away in place of its version
// string: over MaxStartups, or under PerSourcePenalties (sshd_config(5)).
func saysBusy(head []byte) bool {
	return strings.HasPrefix(string(head), "Exceeded MaxStartups") ||
		strings.HasPrefix(string(head), "Not allowed at this time")
}

// disconnection is how x/crypto/ssh writes SSH_MSG_DISCONNECT (RFC 4253, section
// 11.1), whose type it does not export.
var disconnection = regexp.MustCompile(`ssh: disconnect, reason \d+: ("(?s:.*)")`)

// disconnected finds the server's reason for a disconnection, made harmless.
func disconnected(err error, reason *string) bool {
	match := disconnection.FindStringSubmatch(err.Error())
	if match == nil {
		return false
	}
	said, unquoted := strconv.Unquote(match[1])
	if unquoted != nil {
		return false
	}
	*reason = text.Line(said, 200)
	return *reason != ""
}
