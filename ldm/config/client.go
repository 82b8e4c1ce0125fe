package config

import (
	"net"
	"os"
	"path"
	"slices"
	"strings"
)

// Client is who this client is: what sections are chosen by.
type Client struct {
	Hostname  string
	Addresses []string // IP addresses
	MACs      []string // hardware addresses, with colons
}

// ThisClient describes the machine that this program runs on.
func ThisClient() Client {
	var c Client
	c.Hostname, _ = os.Hostname() // without a name its sections just do not match
	interfaces, _ := net.Interfaces()
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback != 0 || i.Flags&net.FlagUp == 0 {
			continue
		}
		if len(i.HardwareAddr) > 0 {
			c.MACs = append(c.MACs, i.HardwareAddr.String())
		}
		addresses, _ := i.Addrs()
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
				c.Addresses = append(c.Addresses, n.IP.String())
			}
		}
	}
	return c
}

// How well a section's name fits a client; a better fit overrides a worse.
const (
	noFit = iota
	generalFit
	globFit
	exactFit
)

func (c Client) fit(name string) int {
	switch strings.ToLower(name) {
	case "default", "clients", "common":
		return generalFit
	}
	names := slices.Concat([]string{c.Hostname}, c.Addresses, c.MACs)
	best := noFit
	for _, own := range names {
		switch matched, _ := path.Match(strings.ToLower(name), strings.ToLower(own)); {
		case own == "":
		case strings.EqualFold(name, own):
			return exactFit
		case matched: // a malformed pattern matches nothing
			best = globFit
		}
	}
	return best
}
