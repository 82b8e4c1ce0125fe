package cluster

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// directory is what the servers said last.
type directory struct {
	servers  map[string]Server  // by name
	sessions map[string]Session // by key
	endings  map[string]ending  // by what follows endingsKey
	bad      map[string]bool    // keys that were complained about
}

func newDirectory() *directory {
	return &directory{
		servers:  make(map[string]Server),
		sessions: make(map[string]Session),
		endings:  make(map[string]ending),
		bad:      make(map[string]bool),
	}
}

// put takes in the value of a key, without the prefix. What makes no sense
// counts as not there, and is complained about once.
func (d *directory) put(key string, value []byte, log *slog.Logger) {
	d.drop(key)
	if err := d.take(key, value); err != nil && len(d.bad) < maxServers {
		d.bad[key] = true
		log.Warn("something odd in the cluster is passed over", "key", fmt.Sprintf("%.100q", key), "err", err)
	}
}

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
		if err == nil && len(d.sessions) >= maxSessions {
			err = fmt.Errorf("over %d sessions", maxSessions)
		}
		if err != nil {
			return err
		}
		d.sessions[key] = s
	case endingsKey:
		e, err := decodeEnding(value)
		if err == nil && len(d.endings) >= maxSessions {
			err = fmt.Errorf("over %d endings", maxSessions)
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
	delete(d.bad, key)
	delete(d.sessions, key)
	if name, ok := strings.CutPrefix(key, serversKey); ok {
		delete(d.servers, name)
	}
	if rest, ok := strings.CutPrefix(key, endingsKey); ok {
		delete(d.endings, rest)
	}
}

// others returns the sessions of servers other than one.
func (d *directory) others(than string) []Session {
	return slices.DeleteFunc(slices.Collect(maps.Values(d.sessions)), func(s Session) bool { return s.Server == than })
}
