package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"goldm/ldm/greetd"
)

const knownHosts = "/etc/ssh/ssh_known_hosts"

// knows replaces what the client knows about servers.
func (s *station) knows(lines ...string) {
	s.t.Helper()
	s.must(s.Client.WriteFile(knownHosts, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

// onServer runs a line of shell text as the server's root, in its home.
func (s *station) onServer(line string) string {
	s.t.Helper()
	out, err := s.Server.Output(s.t.Context(), "sh", "-c", line)
	s.must(err)
	return out
}

// hostKey makes a key that an sshd may have, and returns its public half.
func (s *station) hostKey(path, kind string) string {
	s.t.Helper()
	return s.onServer("ssh-keygen -q -t " + kind + " -N '' -C '' -f " + path + " && cat " + path + ".pub")
}

// withKey makes a person who needs no password, so that nobody is asked.
func withKey(t *testing.T) *station {
	t.Helper()
	s := newPerson(t)
	s.authorize(s.makeKey(".ssh/id_ed25519", ""))
	return s
}

// A server has three keys, and shows the one that the client knows.
func TestHostKeysByAlgorithm(t *testing.T) {
	s := withKey(t)
	ed25519, ecdsa, rsa := s.hostKey("/root/ed25519", "ed25519"), s.hostKey("/root/ecdsa", "ecdsa"), s.hostKey("/root/rsa", "rsa")
	other := s.hostKey("/root/other", "ed25519")
	s.startSSHD("-p", "2222", "-h", "/root/ed25519", "-h", "/root/ecdsa", "-h", "/root/rsa")
	for what, lines := range map[string][]string{
		"ed25519":          {"[server]:2222 " + ed25519},
		"rsa":              {"[server]:2222 " + rsa},
		"ecdsa first":      {"[server]:2222 " + ecdsa, "[server]:2222 " + ed25519},
		"another ed25519":  {"[server]:2222 " + rsa, "elsewhere " + other},
		"a key that comes": {"[server]:2222 " + other, "[server]:2222 " + ed25519},
		"without a port":   {"server " + ed25519},
		"a pattern":        {"[serv*]:2222 " + ed25519},
	} {
		s.knows(lines...)
		s.letsIn(what, "anna@server:2222")
	}
	s.knows("[server]:2222 "+ed25519, "[other]:2222 "+other)
	_, err := s.Client.Output(t.Context(), "ssh-keygen", "-q", "-H", "-f", knownHosts)
	s.must(err)
	if text, err := s.Client.ReadFile(knownHosts); err != nil || strings.Contains(string(text), "server") {
		t.Errorf("not hashed: %s, %v", text, err)
	}
	s.letsIn("hashed", "anna@server:2222")

	s.knows("", "[server]:2222 "+other)
	s.refuses("changed", "shows another key", "anna@server:2222")
	s.refuses("changed", knownHosts+":2 (ssh-ed25519)", "anna@server:2222")
	s.knows("[server]:2222 "+ed25519, "@revoked * "+ed25519)
	s.refuses("revoked", "has been revoked", "anna@server:2222")
	s.refuses("revoked", "is revoked by "+knownHosts+":", "anna@server:2222")
	s.knows("rubbish", "server ssh-ed25519 AAAA", "[server]:2222 "+ed25519)
	complaint, in := s.byKey("anna@server:2222")
	if !in || !strings.Contains(complaint, knownHosts+":1") || !strings.Contains(complaint, knownHosts+":2") {
		t.Errorf("lines that make no sense: let in %v, said %s", in, complaint)
	}
	s.must(s.Client.WriteFile(knownHosts, []byte("server "+ed25519), 0o600))
	s.refuses("a file that carl may not read", "look at "+knownHosts, "anna@server:2222")
}

// certificate signs the server's key, as ssh-keygen does with these options.
func (s *station) certificate(options string) {
	s.t.Helper()
	s.onServer("rm -f key-cert.pub && ssh-keygen -q -s authority -h -I test " + options + " key.pub")
}

func TestHostCertificates(t *testing.T) {
	s := withKey(t)
	key, authority, stranger := s.hostKey("/root/key", "ed25519"), s.hostKey("/root/authority", "ecdsa"), s.hostKey("/root/stranger", "ed25519")
	trusted := "@cert-authority server,*.school " + authority
	for _, tt := range []struct {
		what, options string
		lines         []string
		want          string // what is said; empty where the server is right
	}{
		{"good", "-n server", []string{trusted}, ""},
		{"among others", "-n other,server -V +1h", []string{"@cert-authority * " + stranger, trusted}, ""},
		{"for another name", "-n other", []string{trusted}, "has a certificate for another name"},
		{"expired", "-n server -V 20200101:20210101", []string{trusted}, "has a certificate that has expired"},
		{"not valid yet", "-n server -V 20990101:21000101", []string{trusted}, "is not valid yet"},
		{"another authority", "-n server", []string{"@cert-authority server " + stranger}, "of an authority that this client does not know"},
		{"authority revoked", "-n server", []string{trusted, "@revoked * " + authority}, "whose authority has been revoked"},
		{"key revoked", "-n server", []string{trusted, "@revoked * " + key}, "has been revoked"},
		{"authority of others", "-n server", []string{"@cert-authority *.school " + authority}, "is not known to this client"},
		{"bad, but known", "-n other", []string{trusted, "server " + key}, ""},
	} {
		s.certificate(tt.options)
		stop := s.startSSHD("-p", "2222", "-h", "/root/key", "-o", "HostCertificate=/root/key-cert.pub")
		s.knows(tt.lines...)
		if tt.want == "" {
			s.letsIn(tt.what, "anna@server:2222")
		} else {
			s.refuses(tt.what, tt.want, "anna@server:2222")
		}
		stop()
	}
	stop := s.startSSHD("-p", "2222", "-h", "/root/key")
	defer stop()
	s.knows(trusted)
	s.refuses("no certificate", "has no certificate that this client knows", "anna@server:2222")
}

// The login screen says a plain sentence; the log has file and line.
func TestHostKeysAtTheLoginScreen(t *testing.T) {
	s := newStation(t)
	key, other := s.hostKey("/root/key", "ed25519"), s.hostKey("/root/other", "ed25519")
	authority := s.hostKey("/root/authority", "ed25519")
	s.certificate("-n server -V 20200101:20210101")
	stop := s.startSSHD("-p", "2222", "-h", "/root/key", "-o", "HostCertificate=/root/key-cert.pub")
	s.configure(xvfb, "LDM_SERVER=server:2222")
	s.start()
	for _, tt := range []struct{ line, sentence, log string }{
		{"[server]:2222 " + other, "shows another key than the one this client knows", knownHosts + ":2 (ssh-ed25519)"},
		{"@revoked * " + key, "has been revoked", knownHosts + ":2"},
		{"@cert-authority * " + authority, "has a certificate that has expired", "expired"},
	} {
		s.knows("# line 1", tt.line)
		mark := s.log.mark()
		failed := expect[*greetd.Error](t, s.call(s.dial(), &greetd.CreateSession{Username: "anna"}))
		if !strings.Contains(failed.Description, tt.sentence) || strings.Contains(failed.Description, "/") || strings.Contains(failed.Description, "SHA256") {
			t.Errorf("the person reads %q, want %q and no more", failed.Description, tt.sentence)
		}
		s.log.wait(t, mark, tt.log)
	}
	stop()
	s.certificate("-n server")
	s.startSSHD("-p", "2222", "-h", "/root/key", "-o", "HostCertificate=/root/key-cert.pub")
	s.login("anna", password, "icewm-session")
}

// book is the commands of docs/host-keys.md, in their order, by heading.
func book(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/host-keys.md")
	if err != nil {
		t.Fatal(err)
	}
	chapters := make(map[string][]string)
	heading := ""
	command := regexp.MustCompile(`^    ((?:server|client)# .+)$`)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = h
		}
		if m := command.FindStringSubmatch(line); m != nil {
			chapters[heading] = append(chapters[heading], m[1])
		}
	}
	return chapters
}

// reader does what docs/host-keys.md says.
type reader struct {
	*station
	chapters map[string][]string
}

// does runs the next commands of a chapter.
func (r *reader) does(heading string, commands int) {
	r.t.Helper()
	for range commands {
		if len(r.chapters[heading]) == 0 {
			r.t.Fatalf("docs/host-keys.md has fewer commands under %q than this test runs", heading)
		}
		where, line, _ := strings.Cut(r.chapters[heading][0], "# ")
		r.chapters[heading] = r.chapters[heading][1:]
		machine := r.Server
		if where == "client" {
			machine = r.Client
		}
		out, err := machine.Output(r.t.Context(), "sh", "-c", line)
		r.must(err)
		r.t.Logf("%s# %s\n%s", where, line, out)
	}
}

// adds puts a file of the server's root into the client's image.
func (r *reader) adds(file string) {
	r.t.Helper()
	lines, err := r.Server.ReadFile("/root/" + file)
	r.must(err)
	before, err := r.Client.ReadFile(knownHosts)
	r.must(err)
	r.must(r.Client.WriteFile(knownHosts, append(before, lines...), 0o644))
}

// reloads is systemctl reload ssh, without systemd: the sshd that listens.
func (r *reader) reloads() {
	r.t.Helper()
	mark := r.sshd.mark()
	r.onServer("kill -HUP $(cat /run/sshd.pid)")
	r.sshd.wait(r.t, mark, "Server listening on ")
}

func TestHostKeysByTheBook(t *testing.T) {
	r := &reader{withKey(t), book(t)}
	r.knows("")
	r.refuses("before", "is not known to this client", "anna@server")
	const one = "One server"
	r.does(one, 1)
	r.adds("server.keys")
	r.letsIn("the lines of host-keys", "anna@server")
	r.does(one, 2) // asks for it, and hashes it
	r.letsIn("hashed", "anna@server")
	r.does(one, 3) // the scan, and the comparison
	r.letsIn("scanned", "anna@server")

	const authority = "An authority"
	r.knows("")
	r.does(authority, 3)
	r.reloads()
	r.does(authority, 1)
	r.adds("authority.keys")
	r.letsIn("certified", "anna@server")

	const change = "Changing a key"
	r.onServer("rm /etc/ssh/sshd_config.d/60-ltsp-certificate.conf")
	r.knows("")
	r.does(change, 2)
	r.adds("server.keys")
	r.reloads()
	r.letsIn("the old key", "anna@server")
	r.does(change, 2)
	r.reloads()
	r.letsIn("the new key", "anna@server")

	r.onServer("ssh-keygen -q -s ltsp_authority -h -I server -n server -V +52w /etc/ssh/ssh_host_ed25519_key.pub")
	r.onServer("echo 'HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub' >/etc/ssh/sshd_config.d/60-ltsp-certificate.conf")
	r.reloads()
	r.knows("")
	r.adds("authority.keys")
	r.letsIn("certified anew", "anna@server")
	r.does("Revoking a key", 1)
	r.adds("revoked.keys")
	r.refuses("revoked", "whose authority has been revoked", "anna@server")
	for heading, left := range r.chapters {
		if len(left) > 0 {
			t.Errorf("not run of %q: %q", heading, left)
		}
	}
}
