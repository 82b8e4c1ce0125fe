package byhand

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// maxKeys is how many keys a login offers. A server counts each that it refuses as a try and
// hangs up after six (sshd_config(5), MaxAuthTries), and shuts an address out for a while after
// three connections that failed (PerSourcePenalties).
const maxKeys = 10

// keyring has the person's keys: those of files that somebody named, then the agent's,
// then those of the usual files. ssh offers the agent's first, so that the key that somebody
// named for a server may not be reached.
type keyring struct {
	named []string // files that somebody named
	usual []string // files to look for where nobody named any
	only  bool     // not the agent's other keys; ssh_config(5), IdentitiesOnly
	agent string   // the agent's socket; empty for none
	log   *slog.Logger

	conn net.Conn // to the agent, which signs until the login is over

	// Of all keys found, each once.
	identities []*identity
	again      func() // ends the connection, since a locked key is wanted
}

// identity is a key as it is offered: plain, or in a certificate.
type identity struct {
	public ssh.PublicKey
	*source
	ring *keyring

	offered  bool // whether the server was asked about it
	accepted bool // whether the server would take it
}

// source is where a private key is.
type source struct {
	path    string     // empty for the agent's
	signer  ssh.Signer // nil while it is locked
	pem     []byte     // what is locked
	useless bool       // its passphrase was asked for in vain
}

// PublicKey implements ssh.Signer. The library asks for it when it offers the key.
func (i *identity) PublicKey() ssh.PublicKey {
	i.offered = true
	return i.public
}

// Sign implements ssh.Signer.
func (i *identity) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return i.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm implements ssh.AlgorithmSigner. It is called once the server has said that it
// would take the key, which is when the passphrase of a locked one is worth asking for: but not
// while the server waits, whose patience is short (sshd_config(5), LoginGraceTime).
func (i *identity) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	i.accepted = true
	if i.signer == nil {
		i.ring.again()
		return nil, errAgain
	}
	if signer, ok := i.signer.(ssh.AlgorithmSigner); ok && algorithm != "" {
		return signer.SignWithAlgorithm(rand, data, algorithm)
	}
	return i.signer.Sign(rand, data)
}

// close ends the connection to the agent.
func (k *keyring) close() {
	if k.conn != nil {
		k.conn.Close()
	}
}

// find looks for the keys. One that cannot be read is one less, not an error. The agent
// serves until ctx is done, or close.
func (k *keyring) find(ctx context.Context) {
	inAgent := k.fromAgent(ctx)
	for _, path := range k.named {
		if err := k.addFile(path, inAgent); err != nil {
			k.log.Warn("key not used", "file", path, "err", err)
		}
	}
	if !k.only {
		for _, signer := range inAgent {
			k.add(signer.PublicKey(), &source{signer: signer})
		}
	}
	if len(k.named) > 0 {
		return
	}
	for _, path := range k.usual {
		if err := k.addFile(path, inAgent); err != nil && !errors.Is(err, fs.ErrNotExist) {
			k.log.Warn("key not used", "file", path, "err", err)
		}
	}
}

// addFile adds a file's key, with its certificate before it.
func (k *keyring) addFile(path string, inAgent []ssh.Signer) error {
	file, err := readKeyFile(path)
	if file.public == nil {
		return err
	}
	for _, signer := range inAgent { // which may save a passphrase
		if sameKey(signer.PublicKey(), file.public) {
			file.signer, err = signer, nil
		}
	}
	if err != nil {
		return err
	}
	certificate, err := readCertificate(path, file.public)
	if err != nil {
		k.log.Warn("certificate not used", "file", certificateOf(path), "err", err)
	}
	if certificate != nil {
		k.add(certificate, &file.source)
	}
	k.add(file.public, &file.source)
	return nil
}

func (k *keyring) add(public ssh.PublicKey, s *source) {
	if public.Type() == dsa {
		return // no server takes it
	}
	for _, known := range k.identities {
		if sameKey(known.public, public) {
			return
		}
	}
	k.identities = append(k.identities, &identity{public: public, source: s, ring: k})
}

func sameKey(a, b ssh.PublicKey) bool { return string(a.Marshal()) == string(b.Marshal()) }

func (k *keyring) fromAgent(ctx context.Context) []ssh.Signer {
	if k.agent == "" {
		return nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", k.agent)
	if err != nil {
		k.log.Warn("agent not used", "err", err)
		return nil
	}
	k.conn = conn
	context.AfterFunc(ctx, func() { conn.Close() })
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		k.log.Warn("agent not used", "err", err)
	}
	return signers
}

// offer returns the keys for a new connection, which again can end: those that no
// connection has offered, or the one that the server would take.
func (k *keyring) offer(again func()) []ssh.Signer {
	k.again = again
	if i := k.taken(); i != nil {
		return []ssh.Signer{i}
	}
	var signers []ssh.Signer
	more := 0
	for _, i := range k.identities {
		switch {
		case i.offered || i.useless:
		case len(signers)+k.offered() < maxKeys:
			signers = append(signers, i)
		default:
			more++
		}
	}
	if more > 0 {
		k.log.Info("keys are not offered: a server takes so many tries for an attack", "offered", maxKeys, "more", more)
	}
	return signers
}

// taken returns the key that the server has said it would take; nil for none.
func (k *keyring) taken() *identity {
	for _, i := range k.identities {
		if i.accepted && !i.useless {
			return i
		}
	}
	return nil
}

// offered returns how many keys the server has been asked about.
func (k *keyring) offered() int {
	n := 0
	for _, i := range k.identities {
		if i.offered {
			n++
		}
	}
	return n
}
