package session

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"goldm/internal/failure"
	"goldm/internal/text"
	"goldm/internal/xauth"
	"goldm/session/x11"
)

const (
	// reachWithin is how long our own X server may take to answer.
	reachWithin = 10 * time.Second

	// cookieWithin is how long xauth on the server may take at the session's end.
	cookieWithin = 2 * time.Second
)

// showDirectly lets the user's programs on the server reach a display of this computer
// over TCP, without encryption: it puts the display's cookie into the user's Xauthority file there,
// by standard input, since arguments are public. The X server has to listen.
func (c *Client) showDirectly(ctx context.Context, display *x11.Display) (*Shown, error) {
	local, err := netip.ParseAddrPort(c.ssh.LocalAddr().String())
	if err != nil {
		return nil, fmt.Errorf("our address at the server: %w", err)
	}
	if err := c.listens(ctx, local.Addr(), display); err != nil {
		return nil, err
	}
	name := directName(local.Addr(), display)
	if display.AuthName != xauth.MITMagicCookie {
		return nil, failure.New(fmt.Errorf("authorization %q", display.AuthName),
			"The display here has no cookie, without which nobody may be let in over the network.")
	}
	err = c.xauth(ctx, fmt.Sprintf("add %s %s %s\n", name, xauth.MITMagicCookie, hex.EncodeToString(display.AuthData)))
	if err != nil {
		return nil, failure.New(err, "The server %s could not be given the display's cookie. Ask the administrator to install xauth on it.", c.server)
	}
	return &Shown{
		env:    map[string]string{"DISPLAY": name},
		remove: func() { c.removeDirectly(name) },
	}, nil
}

// listens makes sure that the X server takes connections at the address.
func (c *Client) listens(ctx context.Context, at netip.Addr, display *x11.Display) error {
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	conn, err := (&x11.Display{Host: plainAddress(at), Number: display.Number}).Dial(ctx)
	if err != nil || display.Path != "" {
		return failure.New(err, "The X server here does not listen on the network. Start it with -listen tcp, or do without --x11 direct.")
	}
	return conn.Close()
}

// directName is the display's name at another computer; IPv6 addresses are in
// brackets (X(7), DISPLAY NAMES).
func directName(at netip.Addr, display *x11.Display) string {
	return (&x11.Display{Host: plainAddress(at), Number: display.Number, Screen: display.Screen}).String()
}

// plainAddress is an address as others write it too.
func plainAddress(a netip.Addr) string { return a.Unmap().WithZone("").String() }

// xauth has xauth(1) on the server read commands, on a channel of its own.
func (c *Client) xauth(ctx context.Context, commands string) error {
	said := &limited{left: 1000}
	process := c.Command(Cmd{Line: "xauth -q source -", Stdin: strings.NewReader(commands), Stderr: said})
	if err := process.Start(ctx); err != nil {
		return err
	}
	select {
	case <-process.Exited():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := process.Wait(); err != nil {
		return fmt.Errorf("xauth: %w: %s", err, text.Line(said.String(), 200))
	}
	return nil
}

// removeDirectly takes the display's cookie away from the server again, if the connection is
// still there. The X server's next cookie is another one in any case.
func (c *Client) removeDirectly(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), cookieWithin)
	defer cancel()
	if err := c.xauth(ctx, "remove "+name+"\n"); err != nil {
		c.log.Debug("the display's cookie stays on the server", "err", err)
	}
}
