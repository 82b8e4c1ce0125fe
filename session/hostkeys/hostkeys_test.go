package hostkeys_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"goldm/internal/failure"
	"goldm/session/hostkeys"
	"goldm/session/internal/sshtest"
)

const server = "server:22"

func write(t testing.TB, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, config hostkeys.Config) *hostkeys.DB {
	t.Helper()
	db, err := hostkeys.Load(config)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func check(db *hostkeys.DB, address string, key ssh.PublicKey) error {
	return db.Callback(context.Background())(address, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 22}, key)
}

func line(key ssh.Signer, hosts ...string) string { return knownhosts.Line(hosts, key.PublicKey()) }

func ecdsaKey(t testing.TB) ssh.Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer(t, private)
}

func rsaKey(t testing.TB) ssh.Signer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signer(t, private)
}

func signer(t testing.TB, private any) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// certify returns a host key with a certificate for one name.
func certify(t testing.TB, key, authority ssh.Signer, principal string, change ...func(*ssh.Certificate)) ssh.PublicKey {
	t.Helper()
	cert := &ssh.Certificate{
		Key:             key.PublicKey(),
		CertType:        ssh.HostCert,
		ValidPrincipals: []string{principal},
		ValidBefore:     uint64(time.Now().Add(time.Hour).Unix()),
	}
	for _, f := range change {
		f(cert)
	}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	return cert
}

func certified(t testing.TB, authority ssh.Signer, principal string, change ...func(*ssh.Certificate)) ssh.PublicKey {
	return certify(t, sshtest.NewKey(t), authority, principal, change...)
}

// marked is a line with a marker, such as @revoked.
func marked(marker string, key ssh.Signer, hosts string) string {
	return marker + " " + hosts + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
}

// Exactly known is a server whose own name has a plain key, with its port.
func TestExactly(t *testing.T) {
	key, authority := sshtest.NewKey(t), sshtest.NewKey(t)
	plain := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
	hashed := knownhosts.HashHostname("hashed") + " " + plain
	db := load(t, hostkeys.Config{
		Files: []string{write(t,
			"server,10.0.0.1 "+plain, "[server]:2222 "+plain, hashed, "*.example "+plain, "own.example "+plain,
			marked("@cert-authority", authority, "*,certified"), "both,*.both "+plain,
		)},
		Confirm: func(context.Context, string, ssh.PublicKey) (bool, error) { return true, nil },
	}).Exactly()
	for address, want := range map[string]bool{
		"server:22": true, "10.0.0.1:22": true, "server:2222": true, "hashed:22": true, "own.example:22": true, "both:22": true,
		"server:23": false, "other.example:22": false, "certified:22": false, "a.both:22": false, "nobody:22": false,
	} {
		if got := db.Knows(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
		if err := check(db, address, key.PublicKey()); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		} else if err != nil && !hostkeys.IsRefusal(err) {
			t.Errorf("%s: %v is no refusal", address, err)
		}
	}
	if err := check(db, server, certified(t, authority, "server")); err == nil || !hostkeys.IsRefusal(err) {
		t.Errorf("a certificate of a known authority: %v", err)
	}
	if err := check(db, server, sshtest.NewKey(t).PublicKey()); err == nil || !hostkeys.IsRefusal(err) {
		t.Errorf("another key: %v", err)
	}
}

func TestKnown(t *testing.T) {
	key, second := sshtest.NewKey(t), sshtest.NewKey(t)
	for name, tt := range map[string]struct{ line, address string }{
		"by name":        {line(key, "server"), server},
		"among others":   {line(key, "other", "server"), server},
		"by port":        {line(key, "server:2222"), "server:2222"},
		"by address":     {line(key, "[2001:db8::1]:22"), "[2001:db8::1]:22"},
		"hashed":         {knownhosts.HashHostname("server") + " " + strings.SplitN(line(key, "x"), " ", 2)[1], server},
		"by any port":    {line(key, "server"), "server:2222"},
		"by pattern":     {line(key, "*.school"), "a.school:22"},
		"with a comment": {line(key, "server") + " root@server", server},
		"with CR":        {line(key, "server") + "\r", server},
	} {
		t.Run(name, func(t *testing.T) {
			db := load(t, hostkeys.Config{Files: []string{"/nonexistent/known_hosts", write(t, "# keys", "", tt.line, line(second, "elsewhere"))}})
			if err := check(db, tt.address, key.PublicKey()); err != nil {
				t.Errorf("refused: %v", err)
			}
			if err := check(db, tt.address, second.PublicKey()); err == nil {
				t.Error("another key was accepted")
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	key, other, authority := sshtest.NewKey(t), sshtest.NewKey(t), sshtest.NewKey(t)
	path := write(t,
		line(other, "server"),
		"",
		"@revoked * "+strings.SplitN(line(key, "x"), " ", 2)[1],
		"@cert-authority *.school "+strings.SplitN(line(authority, "x"), " ", 2)[1])
	db := load(t, hostkeys.Config{Files: []string{path}})
	fresh := sshtest.NewKey(t).PublicKey()
	tests := []struct {
		name, address string
		key           ssh.PublicKey
		sentence      string
		cause         string
	}{
		{"unknown", "stranger:22", fresh, "The server stranger is not known to this client. " +
			"Ask the administrator to add its key to /etc/ssh/ssh_known_hosts.", ssh.FingerprintSHA256(fresh)},
		{"unknown port", "server:2222", fresh, "The server [server]:2222 is not known", ssh.FingerprintSHA256(fresh)},
		{"changed", server, fresh, "shows another key than the one this client knows", path + ":1"},
		{"revoked", server, key.PublicKey(), "has been revoked", path + ":3"},
		{"certificate for another name", "a.school:22", certified(t, authority, "b.school"), "The server a.school has a certificate for another name, so nothing was sent to it. Tell the administrator.", "principal"},
		{"certificate of a stranger", "a.school:22", certified(t, other, "a.school"), "has a certificate of an authority that this client does not know", ssh.FingerprintSHA256(other.PublicKey())},
		{"no certificate", "a.school:22", fresh, "has no certificate that this client knows", path + ":4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := check(db, tt.address, tt.key)
			var f *failure.Failure
			if !errors.As(err, &f) {
				t.Fatalf("error is %v, want a failure", err)
			}
			if !strings.Contains(f.Sentence, tt.sentence) || strings.Contains(f.Sentence, "SHA256") {
				t.Errorf("sentence %q, want %q in it and no fingerprint", f.Sentence, tt.sentence)
			}
			if f.Refused || !strings.Contains(f.Error(), tt.cause) {
				t.Errorf("refused %v, %q; want %q in it", f.Refused, f, tt.cause)
			}
		})
	}
	if err := check(db, "a.school:22", certified(t, authority, "a.school")); err != nil {
		t.Errorf("good certificate: %v", err)
	}
}

func TestCertificates(t *testing.T) {
	authority, banned, key, known := sshtest.NewKey(t), sshtest.NewKey(t), sshtest.NewKey(t), sshtest.NewKey(t)
	path := write(t,
		marked("@cert-authority", authority, "*.school"),
		marked("@cert-authority", banned, "*.school"),
		marked("@revoked", banned, "*"),
		marked("@revoked", key, "*"),
		line(known, "a.school"))
	db := load(t, hostkeys.Config{Files: []string{path}})
	past, future := uint64(time.Now().Add(-time.Hour).Unix()), uint64(time.Now().Add(time.Hour).Unix())
	for name, tt := range map[string]struct {
		key      ssh.PublicKey
		sentence string // what it says; empty where the key is right
		cause    string
	}{
		"good":              {certified(t, authority, "a.school"), "", ""},
		"for ever":          {certified(t, authority, "a.school", func(c *ssh.Certificate) { c.ValidBefore = ssh.CertTimeInfinity }), "", ""},
		"bad but known":     {certify(t, known, authority, "b.school"), "", ""},
		"expired":           {certified(t, authority, "a.school", func(c *ssh.Certificate) { c.ValidBefore = past }), "has expired", "expired"},
		"not yet":           {certified(t, authority, "a.school", func(c *ssh.Certificate) { c.ValidAfter = future }), "is not valid yet", "not yet valid"},
		"of a person":       {certified(t, authority, "a.school", func(c *ssh.Certificate) { c.CertType = ssh.UserCert }), "is not valid here", "server's certificate"},
		"authority revoked": {certified(t, banned, "a.school"), "whose authority has been revoked", path + ":3"},
		"key revoked":       {certify(t, key, authority, "a.school"), "key of the server a.school has been revoked", path + ":4"},
		"authority itself":  {authority.PublicKey(), "shows another key", path + ":5"},
	} {
		t.Run(name, func(t *testing.T) {
			err := check(db, "a.school:22", tt.key)
			if tt.sentence == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tt.sentence != "" && (err == nil || !strings.Contains(failure.Of(err).Sentence, tt.sentence) || !strings.Contains(err.Error(), tt.cause)) {
				t.Errorf("got %v, want %q and %q", err, tt.sentence, tt.cause)
			}
		})
	}
	if err := check(db, "a.school:2222", certified(t, authority, "a.school")); err != nil {
		t.Errorf("unusual port: %v", err)
	}
}

// A line with a port speaks for that port alone; one without for those that have none.
func TestPorts(t *testing.T) {
	usual, unusual := sshtest.NewKey(t), sshtest.NewKey(t)
	db := load(t, hostkeys.Config{Files: []string{write(t, line(usual, "server"), line(unusual, "server:2222"))}})
	for _, tt := range []struct {
		address string
		key     ssh.Signer
		want    string // within the sentence; empty where the key is right
	}{
		{"server:22", usual, ""},
		{"server:22", unusual, "another key"},
		{"server:2222", unusual, ""},
		{"server:2222", usual, "another key"},
		{"server:2223", usual, ""},
		{"server:2223", unusual, "is not known"},
	} {
		err := check(db, tt.address, tt.key.PublicKey())
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(failure.Of(err).Sentence, tt.want) {
			t.Errorf("%s: %v, want %q", tt.address, err, tt.want)
		}
	}
}

func TestAlgorithms(t *testing.T) {
	ed, ec, rsa := sshtest.NewKey(t), ecdsaKey(t), rsaKey(t)
	for name, tt := range map[string]struct {
		lines []string
		first []string
	}{
		"nothing known": {nil, []string{"ssh-ed25519", "ecdsa-sha2-nistp256"}},
		"ed25519":       {[]string{line(ed, "server")}, []string{"ssh-ed25519", "ecdsa-sha2-nistp256"}},
		"ecdsa":         {[]string{line(ec, "server")}, []string{"ecdsa-sha2-nistp256", "ssh-ed25519"}},
		"rsa":           {[]string{line(rsa, "server")}, []string{"rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"}},
		"two":           {[]string{line(rsa, "server"), line(ed, "server")}, []string{"ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp256"}},
		"of another":    {[]string{line(rsa, "other")}, []string{"ssh-ed25519", "ecdsa-sha2-nistp256"}},
		"authority": {[]string{"@cert-authority server " + strings.SplitN(line(rsa, "x"), " ", 2)[1]},
			[]string{ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01}},
	} {
		t.Run(name, func(t *testing.T) {
			got := load(t, hostkeys.Config{Files: []string{write(t, tt.lines...)}}).Algorithms(server)
			if !slices.Equal(got[:len(tt.first)], tt.first) {
				t.Errorf("got %q, want %q first", got, tt.first)
			}
			if slices.Contains(got, ssh.KeyAlgoRSA) || len(got) != len(slices.Compact(slices.Sorted(slices.Values(got)))) {
				t.Errorf("SHA-1 or doubles in %q", got)
			}
			if hasCert := slices.Contains(got, ssh.CertAlgoED25519v01); hasCert != (name == "authority") {
				t.Errorf("certificates in %q", got)
			}
		})
	}
}

// One bad line must not lock everybody out.
func TestBadLines(t *testing.T) {
	key := sshtest.NewKey(t)
	var log bytes.Buffer
	path := write(t,
		"server",
		"server ssh-ed25519 !!!!",
		"server 1024 35 1234567890",
		"@strange "+line(key, "server"),
		"|7|abc|def "+strings.SplitN(line(key, "x"), " ", 2)[1],
		strings.Repeat("x", 100<<10),
		"\x00\xff\r\v",
		line(key, "server"))
	db := load(t, hostkeys.Config{Files: []string{path}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := check(db, server, key.PublicKey()); err != nil {
		t.Error(err)
	}
	for n := 1; n <= 7; n++ {
		if !strings.Contains(log.String(), fmt.Sprintf("%s:%d ", path, n)) {
			t.Errorf("no warning about line %d in %s", n, log.String())
		}
	}
	if err := check(db, server, sshtest.NewKey(t).PublicKey()); err == nil || !strings.Contains(err.Error(), path+":8") {
		t.Errorf("changed key: %v, want line 8 named", err)
	}
}

func TestUnreadable(t *testing.T) {
	key, folder := sshtest.NewKey(t), t.TempDir()
	var log bytes.Buffer
	db := load(t, hostkeys.Config{
		Files: []string{folder, write(t, line(key, "server"))},
		Log:   slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err := check(db, server, key.PublicKey()); err != nil {
		t.Errorf("the other file: %v", err)
	}
	if !strings.Contains(log.String(), folder) {
		t.Errorf("no warning about %s in %s", folder, log.String())
	}
	err := check(db, "stranger:22", key.PublicKey())
	if want := "Ask the administrator to look at " + folder + "."; !strings.Contains(failure.Of(err).Sentence, want) {
		t.Errorf("an unknown server: %v, want %q", err, want)
	}
}

// A file of any size costs no more than its limit.
func TestHugeFile(t *testing.T) {
	path := write(t, "")
	if err := os.Truncate(path, 1<<40); err != nil { // takes no room
		t.Skip(err)
	}
	var log bytes.Buffer
	load(t, hostkeys.Config{Files: []string{path}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "over 16777216 bytes") {
		t.Errorf("log: %s", log.String())
	}
}

func TestConfirm(t *testing.T) {
	key := sshtest.NewKey(t).PublicKey()
	path := filepath.Join(t.TempDir(), ".ssh", "known_hosts")
	var asked []string
	answer := true
	config := hostkeys.Config{
		Files:    []string{path},
		Remember: path,
		Confirm: func(_ context.Context, host string, key ssh.PublicKey) (bool, error) {
			asked = append(asked, host)
			return answer, nil
		},
	}
	db := load(t, config)
	for range 2 {
		if err := check(db, "server:2222", key); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(asked, []string{"[server]:2222"}) {
		t.Errorf("asked about %q, want once", asked)
	}
	config.Confirm = nil
	if err := check(load(t, config), "server:2222", key); err != nil {
		t.Errorf("not remembered: %v", err)
	}
	if err := check(db, "server:2222", sshtest.NewKey(t).PublicKey()); err == nil || len(asked) != 1 {
		t.Errorf("changed key: %v, asked about %q", err, asked)
	}
	answer = false
	if err := check(db, "stranger:22", key); err == nil {
		t.Error("accepted although the answer was no")
	}
}

// What was there stays, even where it had no newline at its end.
func TestRememberAppends(t *testing.T) {
	old, fresh := sshtest.NewKey(t), sshtest.NewKey(t).PublicKey()
	path := write(t, line(old, "old"))
	config := hostkeys.Config{Files: []string{path}, Remember: path}
	config.Confirm = func(context.Context, string, ssh.PublicKey) (bool, error) { return true, nil }
	if err := check(load(t, config), server, fresh); err != nil {
		t.Fatal(err)
	}
	config.Confirm = nil
	db := load(t, config)
	if err := errors.Join(check(db, server, fresh), check(db, "old:22", old.PublicKey())); err != nil {
		t.Error(err)
	}
}

// A new key exchange later on shows the key again; nobody is asked then.
func TestSecondKeyExchange(t *testing.T) {
	key := sshtest.NewKey(t).PublicKey()
	asked := 0
	db := load(t, hostkeys.Config{Confirm: func(context.Context, string, ssh.PublicKey) (bool, error) {
		asked++
		return true, nil
	}})
	callback := db.Callback(context.Background())
	remote := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 22}
	for range 2 {
		if err := callback(server, remote, key); err != nil {
			t.Fatal(err)
		}
	}
	if err := callback(server, remote, sshtest.NewKey(t).PublicKey()); err == nil {
		t.Error("the server changed its key during the connection")
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func FuzzLoad(f *testing.F) {
	key := sshtest.NewKey(f)
	f.Add([]byte(line(key, "server") + "\n@revoked * x\n|1|a|b\n"))
	f.Add([]byte("@cert-authority *,!server " + strings.SplitN(line(key, "x"), " ", 2)[1]))
	stranger := sshtest.NewKey(f).PublicKey()
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "known_hosts")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		db := load(t, hostkeys.Config{Files: []string{path}})
		if err := check(db, server, stranger); err == nil {
			t.Error("a key that is in no file was accepted")
		}
		if len(db.Algorithms(server)) < 6 {
			t.Error("algorithms are missing")
		}
	})
}
