package hostkeys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Callback returns the check for one connection, as ssh.ClientConfig wants it.
// ctx is for Confirm. Errors are failures, unless ctx ended.
func (db *DB) Callback(ctx context.Context) ssh.HostKeyCallback {
	var accepted []byte // on this connection; the check comes again with each new key exchange
	return func(address string, _ net.Addr, key ssh.PublicKey) error {
		if bytes.Equal(accepted, key.Marshal()) {
			return nil
		}
		err := db.check(address, key)
		if isUnknown(err) && accepted == nil {
			err = db.confirm(ctx, address, key, err)
		}
		if err != nil {
			return db.refusal(address, key, err)
		}
		accepted = key.Marshal()
		return nil
	}
}

// check decides as ssh does, by what the files have about the server. A certificate
// that does not count may still hold a key that is known itself.
func (db *DB) check(address string, key ssh.PublicKey) error {
	known := db.known(address)
	mismatch := new(knownhosts.KeyError)
	if !known.portless {
		mismatch.Want = known.keys
	}
	var refused error = mismatch
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
		if err := db.revoked(cert.SignatureKey); err != nil {
			return &certificateError{cause: err, revoked: true}
		}
		refused = certified(address, cert, known.authorities)
	}
	if err := db.revoked(key); err != nil {
		return err
	}
	if holds(known.keys, key) {
		return nil
	}
	return refused
}

// holds reports whether one of the lines has the key.
func holds(lines []knownhosts.KnownKey, key ssh.PublicKey) bool {
	return slices.ContainsFunc(lines, func(k knownhosts.KnownKey) bool {
		return bytes.Equal(k.Key.Marshal(), key.Marshal())
	})
}

// certified returns why a certificate does not prove that the server is the one at
// address; nil where it does.
func certified(address string, cert *ssh.Certificate, authorities []knownhosts.KnownKey) error {
	if !holds(authorities, cert.SignatureKey) {
		return &certificateError{stranger: true, cause: fmt.Errorf("signed by %s, which is none of its authorities", ssh.FingerprintSHA256(cert.SignatureKey))}
	}
	if cert.CertType != ssh.HostCert {
		return &certificateError{cause: errors.New("it is not a server's certificate")}
	}
	if cert.Signature.Format == ssh.KeyAlgoRSA {
		return &certificateError{cause: errors.New("it is signed with SHA-1")}
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	// Names in certificates are without port (sshd(8), -n of ssh-keygen(1)).
	if err := new(ssh.CertChecker).CheckCert(host, cert); err != nil {
		return &certificateError{host: host, cert: cert, cause: err}
	}
	return nil
}

// isUnknown reports whether the check found nothing at all about a server.
func isUnknown(err error) bool {
	var mismatch *knownhosts.KeyError
	return errors.As(err, &mismatch) && len(mismatch.Want) == 0
}

// confirm asks about the key of an unknown server. It returns nil where the key
// is to be trusted, and unknown where it is not.
func (db *DB) confirm(ctx context.Context, address string, key ssh.PublicKey, unknown error) error {
	if db.config.Confirm == nil {
		return unknown
	}
	if before := db.whatConfirmed(address); before != nil {
		return sameKey(before, key)
	}
	trust, err := db.config.Confirm(ctx, knownhosts.Normalize(address), key)
	if err != nil {
		return fmt.Errorf("confirm host key: %w", err)
	}
	if !trust {
		return unknown
	}
	db.setConfirmed(address, key)
	if db.config.Remember == "" {
		return nil
	}
	if err := remember(db.config.Remember, address, key); err != nil {
		db.config.Log.Warn("host key not remembered", "file", db.config.Remember, "err", err)
	}
	return nil
}

// sameKey compares a key with the one that was confirmed before.
func sameKey(before []byte, key ssh.PublicKey) error {
	if bytes.Equal(before, key.Marshal()) {
		return nil
	}
	known, err := ssh.ParsePublicKey(before)
	if err != nil {
		return err
	}
	return &knownhosts.KeyError{Want: []knownhosts.KnownKey{{Key: known, Filename: "confirmed before"}}}
}
