package session

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"goldm/internal/failure"
)

// DefaultPort is SSH's.
const DefaultPort = 22

// ParseServer takes host, host:port, [IPv6]:port or a bare IPv6 address apart.
// The port is 0 where there is none.
func ParseServer(server string) (host string, port int, err error) {
	host = server
	bare := strings.Count(server, ":") > 1 && !strings.HasPrefix(server, "[")
	if strings.Contains(server, ":") && !bare && !strings.HasSuffix(server, "]") {
		var digits string
		if host, digits, err = net.SplitHostPort(server); err != nil {
			return "", 0, badServer(server, err)
		}
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || n == 0 {
			return "", 0, badServer(server, fmt.Errorf("port %.40q", digits))
		}
		port = int(n)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if _, err := netip.ParseAddr(host); strings.Contains(host, ":") && err != nil {
		return "", 0, badServer(server, err)
	}
	strange := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("/@[]", r) }
	if host == "" || len(host) > 255 || strings.ContainsFunc(host, strange) {
		return "", 0, badServer(server, fmt.Errorf("host %.255q", host))
	}
	return host, port, nil
}

func badServer(server string, cause error) error {
	return failure.New(cause, "%.60q is no name of a server. Ask the administrator to correct it.", server)
}

// Address returns the address of a server, as known_hosts has it.
func Address(server string) (string, error) {
	host, port, err := ParseServer(server)
	if err != nil {
		return "", err
	}
	return address(host, cmp.Or(port, DefaultPort)), nil
}

// name is the server as a person knows it: with its port only where it is unusual.
func name(host string, port int) string {
	if port == DefaultPort {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// address is the server as a dialler and known_hosts know it.
func address(host string, port int) string {
	return net.JoinHostPort(strings.ToLower(host), strconv.Itoa(port))
}
