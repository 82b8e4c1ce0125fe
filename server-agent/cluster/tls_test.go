package cluster_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldm/server-agent/cluster"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	a.key = a.newKey()
	var der []byte
	der, a.pem = a.sign(a.cert, a.key)
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

func (a *authority) sign(cert *x509.Certificate, key *ecdsa.PrivateKey) (der, text []byte) {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return der, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// pair returns a certificate for 127.0.0.1 and its key.
func (a *authority) pair(use ...x509.ExtKeyUsage) (cert, key []byte) {
	a.t.Helper()
	private := a.newKey()
	_, cert = a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: use,
	}, private)
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

// files writes what an agent has for TLS.
func (a *authority) files() (ca, cert, key string) {
	a.t.Helper()
	folder := a.t.TempDir()
	certText, keyText := a.pair(x509.ExtKeyUsageClientAuth)
	for name, text := range map[string][]byte{"ca.pem": a.pem, "cert.pem": certText, "key.pem": keyText} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return filepath.Join(folder, "ca.pem"), filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t), newAuthority(t)
	const folder = "/etc/etcd-test/"
	e := newEtcd(t, 1, "", "--client-cert-auth", "--trusted-ca-file", folder+"ca.pem", "--cert-file", folder+"cert.pem", "--key-file", folder+"key.pem")
	cert, key := ours.pair(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth) // of both, since etcd asks itself, too
	for name, text := range map[string][]byte{"ca.pem": ours.pem, "cert.pem": cert, "key.pem": key} {
		if err := e.machine.WriteFile(folder+name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e.start(0)
	join := func(name, ca, cert, key string) *agent {
		t.Helper()
		a := &agent{roads: e.roads(), log: new(tail)}
		config := cluster.Config{
			Endpoints: a.roads.endpoints(), Prefix: prefix, Lease: long,
			Self: cluster.Server{Name: name, Identity: name, Hosts: []string{name}, Port: 22},
			Log:  slog.New(slog.NewTextHandler(a.log, nil)),
		}
		var err error
		if config.TLS, err = cluster.TLS(ca, cert, key); err == nil {
			a.Cluster, err = cluster.New(config)
		}
		if err != nil {
			t.Fatal(err)
		}
		a.run(t)
		return a
	}
	ca, cert1, key1 := ours.files()
	foreignCA, foreignCert, foreignKey := theirs.files()
	a, b := join("a", ca, cert1, key1), join("b", ca, cert1, key1)
	together(t, a, b)
	for name, stranger := range map[string]*agent{
		"one that does not trust etcd": join("c", foreignCA, cert1, key1),
		"one that etcd does not trust": join("d", ca, foreignCert, foreignKey),
		"one that shows etcd nothing":  join("e", ca, "", ""),
	} {
		eventually(t, name+" is told why", func() bool {
			p := stranger.State().Problem
			return strings.Contains(p, "certificate")
		})
	}
	if len(a.Servers()) != 1 {
		t.Errorf("strangers got in: %v", a.Servers())
	}
}

func TestBadTLS(t *testing.T) {
	ca, cert, key := newAuthority(t).files()
	_, other, _ := newAuthority(t).files()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ ca, cert, key, want string }{
		{empty, cert, key, empty}, {"/nothing", cert, key, "/nothing"}, {ca, "/nothing", key, "/nothing"}, {ca, cert, empty, "key"}, {ca, other, key, "key"},
	} {
		if _, err := cluster.TLS(tt.ca, tt.cert, tt.key); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
