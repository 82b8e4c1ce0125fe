package byhand

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "embed"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"goldm/session/internal/sshtest"
)

// dsaKey is from ssh-keygen -t dsa, which newer ones have forgotten.
//
//go:embed testdata/id_dsa
var dsaKey string

func writeKey(t *testing.T, path string, key crypto.PrivateKey, passphrase string) ssh.Signer {
	t.Helper()
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "test")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "test", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func newEd25519(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// startAgent serves keys at the socket that it returns.
func startAgent(t *testing.T, keys ...crypto.PrivateKey) string {
	t.Helper()
	ring := agent.NewKeyring()
	for _, key := range keys {
		if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, conn)
		}
	}()
	return path
}

// found returns the keys that a keyring finds, in the order in which it offers them.
func found(t *testing.T, k *keyring) []ssh.Signer {
	t.Helper()
	k.log = slog.New(slog.DiscardHandler)
	t.Cleanup(k.close)
	k.find(t.Context())
	return k.offer(func() {})
}

func fingerprints(signers []ssh.Signer) []string {
	var all []string
	for _, s := range signers {
		all = append(all, ssh.FingerprintSHA256(s.(*identity).public))
	}
	return all
}

func TestOrder(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	named, shared, other, usual := newEd25519(t), newEd25519(t), newEd25519(t), newEd25519(t)
	print := map[string]string{
		"named":  ssh.FingerprintSHA256(writeKey(t, at("named"), named, "").PublicKey()),
		"shared": ssh.FingerprintSHA256(writeKey(t, at("shared"), shared, "the agent knows").PublicKey()),
		"usual":  ssh.FingerprintSHA256(writeKey(t, at("usual"), usual, "").PublicKey()),
		"other":  ssh.FingerprintSHA256(writeKey(t, at("other"), other, "").PublicKey()),
	}
	write(t, at("garbage"), []byte("no key"), 0o600)
	bare, err := ssh.NewPublicKey(other.Public())
	if err != nil {
		t.Fatal(err)
	}
	write(t, at("bare.pub"), ssh.MarshalAuthorizedKey(bare), 0o644)
	socket := startAgent(t, other, shared)
	for name, tt := range map[string]struct {
		ring *keyring
		want []string
	}{
		"named first":      {&keyring{named: []string{at("missing"), at("garbage"), dir, at("named"), at("shared")}, agent: socket, usual: []string{at("usual")}}, []string{"named", "shared", "other"}},
		"usual last":       {&keyring{agent: socket, usual: []string{at("missing"), at("shared"), at("usual")}}, []string{"other", "shared", "usual"}},
		"named only":       {&keyring{named: []string{at("named")}, only: true, agent: socket}, []string{"named"}},
		"by its public":    {&keyring{named: []string{at("bare.pub")}, only: true, agent: socket}, []string{"other"}},
		"public without":   {&keyring{named: []string{at("bare.pub")}}, nil},
		"the agent's gone": {&keyring{agent: "/nonexistent", usual: []string{at("usual")}}, []string{"usual"}},
	} {
		t.Run(name, func(t *testing.T) {
			signers := found(t, tt.ring)
			var want []string
			for _, w := range tt.want {
				want = append(want, print[w])
			}
			if d := cmp.Diff(want, fingerprints(signers)); d != "" {
				t.Fatal(d)
			}
			for _, s := range signers {
				sign(t, s)
			}
		})
	}
}

func write(t *testing.T, path string, content []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func sign(t *testing.T, signer ssh.Signer) {
	t.Helper()
	signature, err := signer.Sign(nil, []byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.PublicKey().Verify([]byte("data"), signature); err != nil {
		t.Error(err)
	}
}

// A key that cannot be used says in one line why.
func TestUnusable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	writeKey(t, path, newEd25519(t), "")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := readKeyFile(path); err == nil || !strings.Contains(err.Error(), "0640 lets others use it") {
		t.Errorf("mode 0640: %v", err)
	}
	write(t, path, []byte(dsaKey), 0o600)
	if _, err := readKeyFile(path); err == nil || !strings.Contains(err.Error(), "DSA") {
		t.Errorf("DSA: %v", err)
	}
	write(t, path, []byte("not\na key"), 0o600)
	write(t, path+".pub", []byte("sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABHNzaDo= me\n"), 0o644)
	if _, err := readKeyFile(path); err == nil || !strings.Contains(err.Error(), "ssh-add") {
		t.Errorf("security key: %v", err)
	}
}

func TestCertificateBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	key, authority := writeKey(t, path, newEd25519(t), ""), sshtest.NewKey(t)
	certificate := &ssh.Certificate{Key: key.PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	if err := certificate.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	write(t, path+"-cert.pub", ssh.MarshalAuthorizedKey(certificate), 0o644)
	signers := found(t, &keyring{named: []string{path}})
	want := []string{ssh.FingerprintSHA256(certificate), ssh.FingerprintSHA256(key.PublicKey())}
	if d := cmp.Diff(want, fingerprints(signers)); d != "" {
		t.Error(d)
	}
	writeKey(t, path, newEd25519(t), "")
	if signers := found(t, &keyring{named: []string{path}}); len(signers) != 1 {
		t.Errorf("the certificate of another key: %d keys offered, want 1", len(signers))
	}
}

// A locked key ends the connection when the server wants it, and signs on the next.
func TestLockedKey(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	writeKey(t, path, rsaKey, "open sesame")
	k := &keyring{named: []string{path}}
	ended := 0
	signers := found(t, k)
	k.again = func() { ended++ }
	if _, err := signers[0].Sign(nil, []byte("data")); !errors.Is(err, errAgain) || ended != 1 {
		t.Fatalf("signed with a locked key: %v, %d ends", err, ended)
	}
	person := sshtest.NewPerson("wrong", "open sesame")
	if err := k.taken().unlock(t.Context(), person); err != nil {
		t.Fatal(err)
	}
	if n := len(person.Seen()); n != 2 {
		t.Errorf("%d questions, want 2", n)
	}
	signers = k.offer(nil)
	if len(signers) != 1 {
		t.Fatalf("%d keys on the next connection", len(signers))
	}
	signature, err := signers[0].(ssh.AlgorithmSigner).SignWithAlgorithm(nil, []byte("data"), ssh.KeyAlgoRSASHA512)
	if err != nil || signature.Format != ssh.KeyAlgoRSASHA512 {
		t.Errorf("signature %+v, %v", signature, err)
	}
}

func TestLockedKeyStaysLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	writeKey(t, path, newEd25519(t), "open sesame")
	for _, tt := range []struct {
		answers   []string
		questions int
		want      error
	}{
		{[]string{"1", "2", "3", "open sesame"}, passphraseTries, nil},
		{[]string{"", "open sesame"}, 1, nil},
		{nil, 1, sshtest.ErrGaveUp},
	} {
		k := &keyring{named: []string{path}}
		found(t, k)[0].Sign(nil, nil)
		person := sshtest.NewPerson(tt.answers...)
		err := k.taken().unlock(t.Context(), person)
		if n := len(person.Seen()); !errors.Is(err, tt.want) || n != tt.questions {
			t.Errorf("%q: %v after %d questions", tt.answers, err, n)
		}
		if tt.want == nil && len(k.offer(nil)) != 0 {
			t.Errorf("%q: the key is offered again", tt.answers)
		}
	}
}

// A server that hangs up is shown the rest, but not more than it forgives.
func TestManyKeys(t *testing.T) {
	var keys []crypto.PrivateKey
	for range maxKeys + 3 {
		keys = append(keys, newEd25519(t))
	}
	k := &keyring{agent: startAgent(t, keys...)}
	var connections []int
	for signers := found(t, k); len(signers) > 0; signers = k.offer(nil) {
		connections = append(connections, len(signers))
		for _, s := range signers[:min(len(signers), 6)] {
			s.PublicKey()
		}
	}
	if d := cmp.Diff([]int{10, 4}, connections); d != "" {
		t.Error(d)
	}
}

// FuzzKeyFile reads what may be any of a key's files.
func FuzzKeyFile(f *testing.F) {
	f.Add([]byte(dsaKey))
	f.Add([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBEgf+DC0Lpqq+8f0+JzDH2hT5nKd3cTdVU1ocM1hFFm me"))
	f.Add([]byte("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "key")
		for _, name := range []string{path, path + ".pub", path + "-cert.pub"} {
			write(t, name, content, 0o600)
		}
		file, err := readKeyFile(path)
		if err == nil && (file.public == nil || file.signer == nil && file.pem == nil) {
			t.Errorf("neither a key nor an error: %+v", file)
		}
		for _, s := range found(t, &keyring{named: []string{path}}) {
			s.PublicKey()
		}
	})
}
