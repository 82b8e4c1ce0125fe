package hostkeys

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

// lookupLimit is how long the domain name system may take to say our full name.
const lookupLimit = 2 * time.Second

// Names returns the names by which clients may know this server: its host name, the
// full one if it has one, and its addresses.
func Names(ctx context.Context) ([]string, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("own name: %w", err)
	}
	names := []string{host}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	if full, err := net.DefaultResolver.LookupCNAME(ctx, host); err == nil {
		names = append(names, strings.TrimSuffix(full, "."))
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("own addresses: %w", err)
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.IsGlobalUnicast() {
			names = append(names, network.IP.String())
		}
	}
	return unique(names), nil
}

// unique drops all but the first of equal names, whatever their case.
func unique(names []string) []string {
	var kept []string
	for _, name := range names {
		if !slices.ContainsFunc(kept, func(k string) bool { return strings.EqualFold(k, name) }) {
			kept = append(kept, name)
		}
	}
	return kept
}
