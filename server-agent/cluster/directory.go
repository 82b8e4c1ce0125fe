package cluster

import (
	"fmt"
	"log/slog"
	"strings"
)

// directory is what the servers said last.
type directory struct {
	self     string             // the server whose endings are kept
	servers  map[string]Server  // by name
	sessions map[string]Session // by key
	users    map[string]int     // sessions by user
	endings  map[string]ending  // by what follows endingsKey
	bad      map[string]bool    // keys that were complained about
}

func newDirectory(self string) *directory {
	return &directory{
		self:     self,
		servers:  make(map[string]Server),
		sessions: make(map[string]Session),
		users:    make(map[string]int),
		endings:  make(map[string]ending),
		bad:      make(map[string]bool),
	}
}

// put takes in the value of a key, without the prefix. What makes no sense
// counts as not there, and is complained about once.
func (d *directory) put(key string, value []byte, log *slog.Logger) {
	d.drop(key)
	if err := d.take(key, value); err != nil && len(d.bad) < maxServers {
		d.bad[lost(key)] = true
		log.Warn("something odd in the cluster is passed over", "key", fmt.Sprintf("%.100q", key), "err", err)
	}
}

// lost is what is kept of a key that was complained about.
func lost(key string) string { return strings.Clone(key[:min(len(key), maxKey)]) }

func (d *directory) take(key string, value []byte) error {
	if len(key) > maxKey {
		return fmt.Errorf("a key of over %d bytes", maxKey)
	}
	kind, rest, _ := strings.Cut(key, "/")
	switch kind + "/" {
	case serversKey:
		s, err := decodeServer(rest, value)
		if err == nil && len(d.servers) >= maxServers {
			err = fmt.Errorf("over %d servers", maxServers)
		}
		if err != nil {
			return err
		}
		d.servers[s.Name] = s
	case sessionsKey:
		s, err := decodeSession(rest, value)
		switch {
		case err != nil:
		case len(d.sessions) >= maxSessions:
			err = fmt.Errorf("over %d sessions", maxSessions)
		case d.users[s.User] >= maxSessionsUser:
			err = fmt.Errorf("over %d sessions of one user", maxSessionsUser)
		}
		if err != nil {
			return err
		}
		d.sessions[key] = s
		d.users[s.User]++
	case endingsKey:
		if server, _, _ := strings.Cut(rest, "/"); server != d.self {
			return nil
		}
		e, err := decodeEnding(value)
		if err == nil && len(d.endings) >= maxEndings {
			err = fmt.Errorf("over %d endings", maxEndings)
		}
		if err != nil {
			return err
		}
		d.endings[rest] = e
	}
	return nil // other keys may come with a later version
}

// drop forgets a key.
func (d *directory) drop(key string) {
	delete(d.bad, lost(key))
	if s, there := d.sessions[key]; there {
		delete(d.sessions, key)
		if d.users[s.User]--; d.users[s.User] == 0 {
			delete(d.users, s.User)
		}
	}
	if name, ok := strings.CutPrefix(key, serversKey); ok {
		delete(d.servers, name)
	}
	if rest, ok := strings.CutPrefix(key, endingsKey); ok {
		delete(d.endings, rest)
	}
}
