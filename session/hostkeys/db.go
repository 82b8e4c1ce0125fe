package hostkeys

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// defaultPort is the port that a line of known_hosts means where it names none.
const defaultPort = "22"

// Config says where the keys are.
type Config struct {
	Files []string // those that do not exist count as empty

	// Confirm, where set, is asked whether to trust the key of a server that no
	// file knows; host is as known_hosts would name it. Where it is nil such a
	// server is refused. It is never asked about a key that differs or is revoked.
	Confirm func(ctx context.Context, host string, key ssh.PublicKey) (bool, error)

	// Remember is the file that a confirmed key is appended to; empty for none.
	Remember string

	Log *slog.Logger // nil for none
}

// DB is what the files said when they were loaded, and what Confirm said since.
type DB struct {
	config      Config
	look        ssh.HostKeyCallback
	copies      []string         // the files as look knows them
	authorities map[place]bool   // the lines marked @cert-authority
	names       map[place]string // the first field of each line, without the marker
	exact       bool             // see Exactly
	unread      []string         // files that are there and could not be read

	mu        sync.Mutex
	confirmed map[string][]byte // address to key
}

// place is a line of a file.
type place struct {
	file string
	line int
}

// Load reads the files. What makes no sense is skipped with a warning, a line or a file, as
// ssh does, so that one mistake does not lock everybody out.
func Load(config Config) (*DB, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	db := &DB{
		config:      config,
		authorities: make(map[place]bool),
		names:       make(map[place]string),
		confirmed:   make(map[string][]byte),
	}
	for _, path := range config.Files {
		lines, err := readFile(path)
		if err != nil {
			config.Log.Warn("known hosts not read", "err", err)
			db.unread = append(db.unread, path)
		}
		clean, err := db.copyOf(path, lines)
		if err != nil {
			return nil, err
		}
		defer clean.Close()
		db.copies = append(db.copies, pathOf(clean))
	}
	var err error
	if db.look, err = knownhosts.New(db.copies...); err != nil {
		return nil, fmt.Errorf("known hosts of %q: %w", config.Files, err)
	}
	return db, nil
}

// lines is what the files have about a server.
type lines struct {
	keys        []knownhosts.KnownKey
	authorities []knownhosts.KnownKey // that may certify its key

	// portless means that no line names the server's port. As for ssh, lines without a port
	// then count, but say nothing against another key: that port is another server.
	portless bool
}

// known returns what the files have about the server at address, host:port.
func (db *DB) known(address string) lines {
	var found lines
	all := db.named(address)
	if host, port, err := net.SplitHostPort(address); err == nil && port != defaultPort && len(all) == 0 && !db.exact {
		found.portless = true
		all = db.named(net.JoinHostPort(host, defaultPort))
	}
	for _, k := range all {
		if db.exact && !db.isExact(k, address) {
			continue
		}
		if db.authorities[place{k.Filename, k.Line}] {
			found.authorities = append(found.authorities, k)
		} else {
			found.keys = append(found.keys, k)
		}
	}
	return found
}

// Exactly returns what the files say of servers that they name themselves, with port and key:
// no authority counts, no pattern, and nobody is asked.
func (db *DB) Exactly() *DB {
	config := db.config
	config.Confirm = nil
	return &DB{
		config: config, look: db.look, copies: db.copies, authorities: db.authorities, names: db.names, unread: db.unread,
		exact: true, confirmed: make(map[string][]byte),
	}
}

// Knows tells whether the files have a key of the server at address, host:port.
func (db *DB) Knows(address string) bool { return len(db.known(address).keys) > 0 }

// isExact tells whether a line that matches an address is a key of its own.
func (db *DB) isExact(k knownhosts.KnownKey, address string) bool {
	at := place{k.Filename, k.Line}
	if db.authorities[at] {
		return false
	}
	for name := range strings.SplitSeq(db.names[at], ",") {
		// A hashed name is the whole of one: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
		if strings.HasPrefix(name, "|") || strings.EqualFold(name, knownhosts.Normalize(address)) {
			return true
		}
	}
	return false
}

// named returns the lines whose names match an address.
func (db *DB) named(address string) []knownhosts.KnownKey {
	// A key that cannot be in a file makes the library list all that it has.
	nobody, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil
	}
	var mismatch *knownhosts.KeyError
	if !errors.As(db.look(address, nowhere{}, nobody), &mismatch) {
		return nil
	}
	for i := range mismatch.Want {
		db.rename(&mismatch.Want[i])
	}
	return mismatch.Want
}

// revoked returns the error for a plain key that a line revokes; nil for none. Such
// a line revokes the key for every server, whatever names it has.
func (db *DB) revoked(key ssh.PublicKey) error {
	var revoked *knownhosts.RevokedError
	if !errors.As(db.look("", nowhere{}, key), &revoked) {
		return nil
	}
	db.rename(&revoked.Revoked)
	return revoked
}

// rename puts a file's own name in place of its copy's.
func (db *DB) rename(k *knownhosts.KnownKey) {
	if i := slices.Index(db.copies, k.Filename); i >= 0 {
		k.Filename = db.config.Files[i]
	}
}

// nowhere is the address of a peer that is not asked about by address.
type nowhere struct{}

func (nowhere) Network() string { return "tcp" }
func (nowhere) String() string  { return "0.0.0.0:0" }

// whatConfirmed returns the key that Confirm accepted for the address; nil for none.
func (db *DB) whatConfirmed(address string) []byte {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.confirmed[address]
}

func (db *DB) setConfirmed(address string, key ssh.PublicKey) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.confirmed[address] = key.Marshal()
}
