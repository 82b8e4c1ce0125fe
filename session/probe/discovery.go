package probe

import (
	"fmt"
	"log/slog"

	"goldm/ldm/wire"
	"goldm/session"
	"goldm/session/hostkeys"
)

// maxFound bounds the servers that are discovered, and those that were found wanting.
const maxFound = 100

// discovery decides about servers that other servers name. A server on the administrator's list
// may name others; these name nobody.
type discovery struct {
	keys *hostkeys.DB // exactly known ones
	log  *slog.Logger

	seen  map[string]bool // addresses that need no more thought
	found int
	full  bool // the log was told
}

// newDiscovery returns nil where servers are not to be discovered.
func newDiscovery(w *wire.Watch, log *slog.Logger) (*discovery, error) {
	if !w.Discover {
		return nil, nil
	}
	keys, err := hostkeys.Load(hostkeys.Config{Files: w.KnownHosts, Log: log})
	if err != nil {
		return nil, fmt.Errorf("known hosts: %w", err)
	}
	d := &discovery{keys: keys.Exactly(), log: log, seen: make(map[string]bool)}
	for _, server := range w.Servers {
		if address, err := session.Address(server); err == nil {
			d.seen[address] = true
		}
	}
	return d, nil
}

// take tells whether a server that another one named is to be watched from now on.
func (d *discovery) take(server, by string) bool {
	address, err := session.Address(server)
	if err != nil || d.seen[address] {
		return false
	}
	if len(d.seen) > wire.MaxServers+maxFound || d.found == maxFound {
		if !d.full {
			d.full = true
			d.log.Warn("servers are not used: others name too many", "named by", by, "most", maxFound)
		}
		return false
	}
	d.seen[address] = true
	if !d.keys.Knows(address) {
		d.log.Info("a server is not used: known_hosts does not have its key under its own name", "server", server, "named by", by)
		return false
	}
	d.log.Info("server discovered", "server", server, "named by", by)
	d.found++
	return true
}
