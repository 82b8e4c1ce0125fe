package testbed

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path"
	"strings"
	"sync"
)

// SSHDOptions change Debian's own configuration of sshd.
type SSHDOptions struct {
	// Config is lines of sshd_config(5), which come before Debian's and so win.
	Config []string

	// HostKeys are the types of the keys that the machine gets where it has none
	// of the type; nil for ed25519 and ecdsa. An RSA key takes up to a second.
	HostKeys []string

	// Log gets what sshd says; nil for nowhere.
	Log io.Writer
}

// SSHD is Debian's sshd, with PAM, on a machine.
type SSHD struct {
	command *Cmd
	stop    context.CancelFunc
	copied  chan struct{} // closed when all of the log has been passed on
}

const sshdDropIn = "/etc/ssh/sshd_config.d/00-testbed.conf"

// StartSSHD starts sshd and returns once it listens.
func (m *Machine) StartSSHD(ctx context.Context, o SSHDOptions) (*SSHD, error) {
	if o.HostKeys == nil {
		o.HostKeys = []string{"ed25519", "ecdsa"}
	}
	if err := m.makeHostKeys(ctx, o.HostKeys); err != nil {
		return nil, err
	}
	config := strings.Join(o.Config, "\n") + "\n"
	if err := m.WriteFile(sshdDropIn, []byte(config), 0o644); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	d := &SSHD{command: m.Command(ctx, "root", "/usr/sbin/sshd", "-D", "-e"), stop: stop, copied: make(chan struct{})}
	d.command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	log, err := d.command.StderrPipe()
	if err != nil {
		stop()
		return nil, err
	}
	if err := d.command.Start(); err != nil {
		stop()
		return nil, err
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if err := d.listening(log, o.Log); err != nil {
		d.Stop()
		return nil, fmt.Errorf("sshd on %s: %w", m.Name, err)
	}
	return d, nil
}

// listening passes the log on, for ever, and returns once it says that sshd
// listens. The log's end without that is an error, which quotes it.
func (d *SSHD) listening(log io.Reader, to io.Writer) error {
	var once sync.Once
	result := make(chan error, 1)
	go func() {
		defer close(d.copied)
		var early bytes.Buffer
		lines := bufio.NewReader(io.TeeReader(log, to))
		for {
			line, err := lines.ReadString('\n')
			if early.Len() < 4096 {
				early.WriteString(line)
			}
			if strings.HasPrefix(line, "Server listening on ") {
				once.Do(func() { result <- nil })
			}
			if err != nil {
				once.Do(func() { result <- errors.New(strings.TrimSpace(early.String())) })
				return
			}
		}
	}()
	return <-result
}

// Stop ends the listening sshd. The logins that it has let in go on.
func (d *SSHD) Stop() {
	d.stop()
	d.command.Wait() // it was killed; and the log is closed now
	<-d.copied
}

func (m *Machine) makeHostKeys(ctx context.Context, types []string) error {
	for _, kind := range types {
		path := "/etc/ssh/ssh_host_" + kind + "_key"
		if _, err := m.Stat(path); err == nil {
			continue
		}
		if _, err := m.Output(ctx, "ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path); err != nil {
			return err
		}
	}
	return nil
}

// HostKeys returns the machine's public host keys, each as "type base64".
func (m *Machine) HostKeys() ([]string, error) {
	entries, err := m.ReadDir("/etc/ssh")
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, e := range entries {
		if ok, _ := path.Match("ssh_host_*_key.pub", e.Name()); !ok {
			continue
		}
		text, err := m.ReadFile("/etc/ssh/" + e.Name())
		if err != nil {
			return nil, err
		}
		f := strings.Fields(string(text))
		if len(f) < 2 {
			return nil, fmt.Errorf("%s: %s is not a public key", m.Name, e.Name())
		}
		keys = append(keys, f[0]+" "+f[1])
	}
	return keys, nil
}

// KnownHosts returns the server's keys in the format of sshd(8), SSH_KNOWN_HOSTS
// FILE FORMAT, under its name and its addresses.
func (b *Bed) KnownHosts() (string, error) {
	keys, err := b.Server.HostKeys()
	if err != nil {
		return "", err
	}
	names := []string{b.Server.Name}
	for _, address := range []netip.Addr{b.Server.Address(), b.Server.Address6()} {
		names = append(names, address.String())
	}
	var text strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&text, "%s %s\n", strings.Join(names, ","), key)
	}
	return text.String(), nil
}

// Trust makes the server's keys known on the client.
func (b *Bed) Trust() error {
	text, err := b.KnownHosts()
	if err != nil {
		return err
	}
	return b.Client.WriteFile("/etc/ssh/ssh_known_hosts", []byte(text), 0o644)
}
