package byhand

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"goldm/internal/whole"
	"goldm/session/prompt"
)

// maxKeyFile bounds what is read of a key's file, in bytes.
const maxKeyFile = 256 << 10

// dsa is a type of key that servers take no more.
const dsa = "ssh-dss"

// passphraseTries is how often a passphrase may be wrong, as with ssh.
const passphraseTries = 3

// keyFile is what the files of a key hold.
type keyFile struct {
	public ssh.PublicKey // nil where nothing is known about the key
	source
}

// readKeyFile reads a private key. Where only its public half is to be had, which is
// enough for a key that the agent has, there is an error too.
func readKeyFile(path string) (keyFile, error) {
	f := keyFile{source: source{path: path}}
	content, err := readPrivate(path)
	if err == nil {
		if f.public, _, _, _, err = ssh.ParseAuthorizedKey(content); err == nil {
			return f, errors.New("a public key, and the agent does not have the private one")
		}
		f.public, err = f.parse(content)
	}
	if f.public == nil {
		f.public = readPublic(path + ".pub")
	}
	switch {
	case f.public == nil:
		return f, err
	case strings.HasPrefix(f.public.Type(), "sk-"):
		return f, errors.New("a security key works through the agent: ssh-add it")
	case f.public.Type() == dsa:
		return f, errors.New("no server takes DSA keys any more: ssh-keygen -t ed25519 makes another")
	}
	return f, err
}

// parse reads a private key, and returns its public half where that is to be had.
func (s *source) parse(content []byte) (ssh.PublicKey, error) {
	signer, err := ssh.ParsePrivateKey(content)
	locked, isLocked := errors.AsType[*ssh.PassphraseMissingError](err)
	switch {
	case isLocked:
		s.pem = content
		if locked.PublicKey == nil { // in formats older than OpenSSH's own
			if public := readPublic(s.path + ".pub"); public != nil {
				return public, nil
			}
			return nil, fmt.Errorf("encrypted, and its public half is not in %s.pub", s.path)
		}
		return locked.PublicKey, nil
	case err != nil:
		return publicHalf(content), fmt.Errorf("not a private key that can be read: %w", err)
	}
	s.signer = signer
	return signer.PublicKey(), nil
}

// publicHalf returns the public half of a private key of a kind that the library does not
// know, from OpenSSH's format for private keys (PROTOCOL.key of OpenSSH); nil for none.
func publicHalf(content []byte) ssh.PublicKey {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil
	}
	rest, ok := bytes.CutPrefix(block.Bytes, []byte("openssh-key-v1\x00"))
	var key struct {
		Cipher, KDF, KDFOptions string
		Number                  uint32
		Public                  []byte
		Rest                    []byte `ssh:"rest"`
	}
	if !ok || ssh.Unmarshal(rest, &key) != nil {
		return nil
	}
	public, err := ssh.ParsePublicKey(key.Public)
	if err != nil {
		return nil
	}
	return public
}

// readPrivate reads a file that only its owner may read, unless it is a public key.
func readPrivate(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	content, err := whole.Read(file, maxKeyFile)
	if err != nil {
		return nil, err
	}
	if err := private(info); err != nil && strings.Contains(string(content), "PRIVATE KEY") {
		return nil, err
	}
	return content, nil
}

// private refuses, as ssh does, our own file that others may use.
func private(info fs.FileInfo) error {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if mode := info.Mode().Perm(); ok && int(owner.Uid) == os.Getuid() && mode&0o077 != 0 {
		return fmt.Errorf("its mode %04o lets others use it: chmod 600 it", mode)
	}
	return nil
}

// readPublic reads a public key; nil where there is none.
func readPublic(path string) ssh.PublicKey {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	line, err := whole.Read(file, maxKeyFile)
	if err != nil {
		return nil
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		return nil
	}
	return public
}

// certificateOf is the file beside a key's with its certificate; ssh(1), -i.
func certificateOf(path string) string { return strings.TrimSuffix(path, ".pub") + "-cert.pub" }

// readCertificate reads the certificate of a key; nil where there is none.
func readCertificate(path string, key ssh.PublicKey) (*ssh.Certificate, error) {
	if _, err := os.Stat(certificateOf(path)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	certificate, ok := readPublic(certificateOf(path)).(*ssh.Certificate)
	switch {
	case !ok:
		return nil, errors.New("not a certificate")
	case !sameKey(certificate.Key, key):
		return nil, errors.New("the certificate of another key")
	}
	return certificate, nil
}

// unlock asks for the passphrase of a key. No passphrase, or none that is right, is no
// error: the key stays locked.
func (s *source) unlock(ctx context.Context, p prompt.Prompter) error {
	question := fmt.Sprintf("Passphrase for the key %s: ", s.path)
	for try := range passphraseTries {
		text := question
		if try > 0 {
			text = "That was not it. " + question
		}
		passphrase, err := p.Ask(ctx, prompt.Question{Text: text})
		if err != nil {
			return err
		}
		if passphrase == "" {
			break
		}
		if s.signer, err = ssh.ParsePrivateKeyWithPassphrase(s.pem, []byte(passphrase)); err == nil {
			return nil
		}
		s.signer = nil
	}
	s.useless = true
	return nil
}
