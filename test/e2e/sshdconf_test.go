package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldm/internal/testbed"
)

// What the packages ship for sshd is understood by the sshd that it is for.
func TestShippedConfigurationOfSSHD(t *testing.T) {
	t.Run("bookworm", func(t *testing.T) {
		s := newServer(t, "bookworm")
		s.ship("50-ltsp.conf")
		s.effective("maxstartups 200:30:400", "logingracetime 300", "clientaliveinterval 20", "clientalivecountmax 3")
		s.ship("51-ltsp-penalties.conf")
		if _, err := s.Output(t.Context(), "/usr/sbin/sshd", "-t"); err == nil {
			t.Error("this sshd takes what is only for later ones: then one file would do")
		}
	})
	t.Run("trixie", func(t *testing.T) {
		s := newServer(t, "trixie")
		s.ship("50-ltsp.conf")
		s.ship("51-ltsp-penalties.conf")
		s.effective("maxstartups 200:30:400", "logingracetime 300", "clientaliveinterval 20", "clientalivecountmax 3",
			"persourcepenaltyexemptlist 192.168.67.0/24")
	})
}

// server is a machine with sshd.
type server struct {
	*testbed.Machine
	t *testing.T
}

func newServer(t *testing.T, suite string) *server {
	t.Helper()
	t.Parallel()
	s := &server{Machine: testbed.Start(t, testbed.Config{ServerSuite: suite}).Server, t: t}
	if _, err := s.StartSSHD(t.Context(), testbed.SSHDOptions{}); err != nil { // for its keys
		t.Fatal(err)
	}
	return s
}

// ship puts a file of ours where the packages do.
func (s *server) ship(name string) {
	s.t.Helper()
	if err := ship(s.Machine, name); err != nil {
		s.t.Fatal(err)
	}
}

func ship(m *testbed.Machine, name string) error {
	text, err := os.ReadFile(filepath.Join("../../packaging/sshd", name))
	if err != nil {
		return err
	}
	return m.WriteFile("/etc/ssh/sshd_config.d/"+name, text, 0o644)
}

// effective checks what sshd makes of its configuration.
func (s *server) effective(want ...string) {
	s.t.Helper()
	if _, err := s.Output(s.t.Context(), "/usr/sbin/sshd", "-t"); err != nil {
		s.t.Fatal(err)
	}
	out, err := s.Output(s.t.Context(), "/usr/sbin/sshd", "-T")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, line := range want {
		if !strings.Contains(out, "\n"+line+"\n") {
			s.t.Errorf("sshd does not say %q of itself", line)
		}
	}
}
