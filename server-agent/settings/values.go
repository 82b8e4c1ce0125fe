package settings

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// none turns off what has a default.
const none = "none"

// Bounds of the lease: a shorter one would not survive a busy etcd's pauses, a
// longer one keep the name of a dead server for too long.
const (
	minLease = 5 * time.Second
	maxLease = 10 * time.Minute
)

// setters take a value of the file into the settings. Their errors say what was
// expected.
var setters = map[string]func(s *Settings, value string) error{
	"listen":      func(s *Settings, v string) (err error) { s.Listen, err = addresses(v); return },
	"listen-http": func(s *Settings, v string) (err error) { s.ListenHTTP, err = addresses(v); return },
	"metrics":     setMetrics,
	"name":        setName,
	"address":     setAddress,
	"ssh-port":    setPort,
	"cluster":     setCluster,
	"endpoints":   setEndpoints,
	"ca":          func(s *Settings, v string) error { return file(&s.CA, v) },
	"cert":        func(s *Settings, v string) error { return file(&s.Cert, v) },
	"key":         func(s *Settings, v string) error { return file(&s.Key, v) },
	"prefix":      setPrefix,
	"lease":       setLease,
}

// list splits a value at blanks and commas.
func list(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
}

// addresses reads a list of addresses to listen on, "none" for an empty one.
func addresses(value string) ([]string, error) {
	if value == none {
		return nil, nil
	}
	found := list(value)
	for _, a := range found {
		if err := checkAddress(a); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, errors.New("expected [address]:port, or none")
	}
	return found, nil
}

// checkAddress checks address:port, where the address may be missing.
func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%.80q: expected [address]:port, such as :9571 or 127.0.0.1:9571", address)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
		return fmt.Errorf("%.80q: expected an address of this server, not a name", address)
	}
	_, err = number(port)
	return err
}

func number(port string) (int, error) {
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return 0, fmt.Errorf("%.20q: expected a port from 1 to 65535", port)
	}
	return n, nil
}

// setMetrics takes a port alone as one on loopback.
func setMetrics(s *Settings, value string) error {
	if value == none {
		s.Metrics = ""
		return nil
	}
	if _, err := number(value); err == nil {
		value = net.JoinHostPort("127.0.0.1", value)
	}
	if strings.HasPrefix(value, ":") {
		value = "127.0.0.1" + value
	}
	if err := checkAddress(value); err != nil {
		return err
	}
	s.Metrics = value
	return nil
}

func setName(s *Settings, value string) error {
	if !IsHost(value) {
		return fmt.Errorf("%.80q: expected a name of letters, digits, dots and hyphens", value)
	}
	s.Name = strings.ToLower(value)
	return nil
}

func setAddress(s *Settings, value string) error {
	hosts := list(value)
	for i, h := range hosts {
		if !IsHost(h) {
			return fmt.Errorf("%.80q: expected host names or addresses, without port (ssh-port is a setting of its own)", h)
		}
		hosts[i] = strings.ToLower(h)
	}
	if len(hosts) == 0 || len(hosts) > maxHosts {
		return fmt.Errorf("expected 1 to %d host names or addresses", maxHosts)
	}
	s.Address = hosts
	return nil
}

// maxHosts is how many names and addresses one server may have.
const maxHosts = 8

func setPort(s *Settings, value string) (err error) {
	port, err := number(value)
	if err == nil {
		s.SSHPort = port
	}
	return err
}

func setCluster(s *Settings, value string) error {
	switch value {
	case Etcd:
		s.Cluster = Etcd
	case none:
		s.Cluster = ""
	default:
		return fmt.Errorf("%.40q: expected etcd or none", value)
	}
	return nil
}

func setEndpoints(s *Settings, value string) error {
	found := list(value)
	for _, e := range found {
		u, err := url.Parse(e)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			return fmt.Errorf("%.80q: expected https://host:2379", e)
		}
	}
	if len(found) == 0 {
		return errors.New("expected at least one https://host:2379")
	}
	s.Endpoints = found
	return nil
}

func file(to *string, value string) error {
	if !filepath.IsAbs(value) {
		return fmt.Errorf("%.80q: expected a file, as a path that begins with /", value)
	}
	*to = value
	return nil
}

func setPrefix(s *Settings, value string) error {
	strange := func(r rune) bool { return r <= ' ' || r > '~' }
	if !strings.HasPrefix(value, "/") || !strings.HasSuffix(value, "/") || len(value) > 100 || strings.ContainsFunc(value, strange) {
		return fmt.Errorf("%.80q: expected what the keys begin with, such as /ltsp/", value)
	}
	s.Prefix = value
	return nil
}

func setLease(s *Settings, value string) error {
	n, err := strconv.Atoi(value)
	d := time.Duration(n) * time.Second
	if err != nil || n > int(maxLease/time.Second) || d < minLease {
		return fmt.Errorf("%.20q: expected seconds, from %d to %d", value, minLease/time.Second, maxLease/time.Second)
	}
	s.Lease = d
	return nil
}

// IsHost reports whether s is a host name or an address without a zone.
func IsHost(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Zone() == ""
	}
	strange := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._", r))
	}
	return s != "" && len(s) <= 253 && s[0] != '-' && s[0] != '.' && !strings.ContainsFunc(s, strange)
}
