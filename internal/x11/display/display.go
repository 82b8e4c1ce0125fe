package display

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"goldm/internal/folder"
	"goldm/internal/peer"
	"goldm/internal/xauth"
)

// Display is an X server, and what to show to it.
type Display struct {
	Host   string // empty for this machine, through a Unix socket
	Path   string // of the Unix socket, where it is not the usual one
	Number int
	Screen int

	// What the server wants to see, as from an Xauthority file; both empty
	// where it wants nothing. Authorize fills them in.
	AuthName string
	AuthData []byte
}

const (
	maxDisplayName = 255
	firstPort      = 6000 // of display 0 over TCP: X(7), DISPLAY NAMES
	maxNumber      = 65535 - firstPort
	socketFolder   = "/tmp/.X11-unix/X" // and the number
)

// Parse reads a display's name as in $DISPLAY: ":0", ":0.1", "unix:0",
// "host:0", "[::1]:0", or the path of a Unix socket, "/path" or "unix:/path".
func Parse(name string) (*Display, error) {
	switch {
	case name == "":
		return nil, errors.New("no X display is named: DISPLAY is empty")
	case len(name) > maxDisplayName || strings.ContainsRune(name, 0):
		return nil, fmt.Errorf("display %.40q…: not a display's name", name)
	}
	if path := strings.TrimPrefix(name, "unix:"); strings.HasPrefix(path, "/") {
		return &Display{Path: path}, nil
	}
	bad := fmt.Errorf("display %q: expected host:number or :number", name)
	colon := strings.LastIndexByte(name, ':')
	if colon < 0 {
		return nil, bad
	}
	host, rest := name[:colon], name[colon+1:]
	number, screen, hasScreen := strings.Cut(rest, ".")
	d := &Display{Host: trimHost(host)}
	var err error
	if d.Number, err = parseNumber(number); err != nil {
		return nil, bad
	}
	if hasScreen {
		if d.Screen, err = parseNumber(screen); err != nil {
			return nil, bad
		}
	}
	return d, nil
}

// trimHost returns the host of a name's part before the last colon; empty for
// this machine.
func trimHost(host string) string {
	if host == "unix" {
		return ""
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		return host[1 : len(host)-1]
	}
	return host
}

func parseNumber(digits string) (int, error) {
	n, err := strconv.ParseUint(digits, 10, 16)
	if err == nil && n > maxNumber {
		err = strconv.ErrRange
	}
	return int(n), err
}

// String returns the display's name, as in $DISPLAY.
func (d *Display) String() string {
	if d.Path != "" {
		return d.Path
	}
	host := d.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s:%d.%d", host, d.Number, d.Screen)
}

// Dial connects to the display.
func (d *Display) Dial(ctx context.Context) (net.Conn, error) {
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("display %s: %w", d, err)
	}
	return conn, nil
}

func (d *Display) dial(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	switch {
	case d.Path != "":
		return dialer.DialContext(ctx, "unix", d.Path)
	case d.Host != "":
		port := strconv.Itoa(firstPort + d.Number)
		return dialer.DialContext(ctx, "tcp", net.JoinHostPort(d.Host, port))
	}
	return dialLocal(ctx, socketFolder+strconv.Itoa(d.Number))
}

// dialLocal connects to an X server of this machine. The file first: every user can take an
// abstract name that is free, but no other user's file can be replaced in a sticky folder of
// root's. Elsewhere the server has to be root's or the user's own: it is told the cookie.
func dialLocal(ctx context.Context, path string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	dir := filepath.Dir(path)
	safe := err == nil && folder.Shared(dir) == nil && folder.Shared(filepath.Dir(dir)) == nil
	if errors.Is(err, os.ErrNotExist) {
		abstract, abstractErr := dialer.DialContext(ctx, "unix", "@"+path)
		if abstractErr != nil {
			return nil, err // about the file, which is the usual place
		}
		conn, err = abstract, nil
	}
	if err != nil || safe {
		return conn, err
	}
	at, err := peer.Of(conn)
	if err == nil && at.UID != 0 && at.UID != os.Getuid() {
		err = fmt.Errorf("%s is held by the user number %d", path, at.UID)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Authorize fills in what an Xauthority file says for this display. A file that
// says nothing about it, or does not exist, leaves the display without.
func (d *Display) Authorize(ctx context.Context, file string) error {
	entries, err := xauth.ReadFile(file)
	if err != nil && len(entries) == 0 {
		return err
	}
	for _, a := range d.addresses(ctx) {
		if entry, ok := xauth.Lookup(entries, a.family, a.bytes, d.Number); ok {
			d.AuthName, d.AuthData = entry.Name, entry.Data
			return nil
		}
	}
	return nil
}

type address struct {
	family xauth.Family
	bytes  []byte
}

// addresses returns under which addresses Xauthority files know the display.
// As in libxcb, one reached through the loopback is known by this machine's name.
func (d *Display) addresses(ctx context.Context) []address {
	var found []address
	local := d.Host == ""
	if !local {
		ips, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", d.Host)
		for _, ip := range ips {
			local = local || ip.Unmap().IsLoopback()
			found = append(found, internetAddress(ip.Unmap()))
		}
	}
	if local {
		name, _ := os.Hostname()
		found = append(found, address{xauth.Local, []byte(name)})
	}
	return found
}

func internetAddress(ip netip.Addr) address {
	if ip.Is4() {
		return address{xauth.Internet, ip.AsSlice()}
	}
	return address{xauth.Internet6, ip.AsSlice()}
}
