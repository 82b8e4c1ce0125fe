package hostkeys

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"goldm/internal/failure"
)

// certificateError says why a certificate does not count.
type certificateError struct {
	cause    error
	stranger bool // its authority is not one of the server's
	revoked  bool // its authority is revoked

	// Where the authority is right and the certificate itself is not:
	host string
	cert *ssh.Certificate
}

func (e *certificateError) Error() string { return e.cause.Error() }
func (e *certificateError) Unwrap() error { return e.cause }

// IsRefusal tells whether an error of a connection means that the server's key was refused.
func IsRefusal(err error) bool {
	var mismatch *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	var certificate *certificateError
	return errors.As(err, &mismatch) || errors.As(err, &revoked) || errors.As(err, &certificate)
}

// what completes the sentence that begins with the name of the server.
func (e *certificateError) what() string {
	now := uint64(time.Now().Unix())
	switch {
	case e.revoked:
		return "has a certificate whose authority has been revoked"
	case e.stranger:
		return "has a certificate of an authority that this client does not know"
	case e.cert == nil:
		return "has a certificate that is not valid here"
	case len(e.cert.ValidPrincipals) > 0 && !slices.Contains(e.cert.ValidPrincipals, e.host):
		return "has a certificate for another name"
	case e.cert.ValidBefore != ssh.CertTimeInfinity && now >= e.cert.ValidBefore:
		return "has a certificate that has expired, by the clock of this client"
	case now < e.cert.ValidAfter:
		return "has a certificate that is not valid yet, by the clock of this client"
	}
	return "has a certificate that is not valid here"
}

// refusal turns what the check said into a failure.
func (db *DB) refusal(address string, key ssh.PublicKey, err error) error {
	shown := fmt.Sprintf("host key %s %s", key.Type(), ssh.FingerprintSHA256(key))
	server := knownhosts.Normalize(address)
	var mismatch *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	var certificate *certificateError
	switch {
	case errors.As(err, &certificate):
		cause := fmt.Errorf("%s: %w", shown, err)
		if errors.As(err, &revoked) {
			cause = fmt.Errorf("%s: authority revoked by %s:%d: %w", shown, revoked.Revoked.Filename, revoked.Revoked.Line, err)
		}
		return failure.New(cause, "The server %s %s, so nothing was sent to it. Tell the administrator.", server, certificate.what())
	case errors.As(err, &revoked):
		return failure.New(fmt.Errorf("%s is revoked by %s:%d: %w", shown, revoked.Revoked.Filename, revoked.Revoked.Line, err),
			"The key of the server %s has been revoked, so nothing was sent to it. Tell the administrator.", server)
	case isUnknown(err):
		return db.unknown(address, fmt.Errorf("%s is in none of %q: %w", shown, db.config.Files, err))
	case errors.As(err, &mismatch):
		return failure.New(fmt.Errorf("%s differs from %s: %w", shown, places(mismatch.Want), err),
			"The server %s shows another key than the one this client knows. "+
				"It may be an impostor, so nothing was sent to it. Tell the administrator.", server)
	}
	return err
}

// unknown is the failure for a server that the files say nothing about.
func (db *DB) unknown(address string, cause error) error {
	if len(db.unread) > 0 {
		return failure.New(cause, "The list of known servers cannot be read on this client. Ask the administrator to look at %s.",
			strings.Join(db.unread, " and "))
	}
	server := knownhosts.Normalize(address)
	if known := db.known(address); len(known.authorities) > 0 {
		return failure.New(fmt.Errorf("no certificate of %s: %w", places(known.authorities), cause),
			"The server %s has no certificate that this client knows. Ask the administrator to sign its key.", server)
	}
	return failure.New(cause, "The server %s is not known to this client. Ask the administrator to add its key to /etc/ssh/ssh_known_hosts.", server)
}

// places lists lines as file:line.
func places(keys []knownhosts.KnownKey) string {
	var all []string
	for _, k := range keys {
		all = append(all, fmt.Sprintf("%s:%d (%s)", k.Filename, k.Line, k.Key.Type()))
	}
	return strings.Join(all, ", ")
}
