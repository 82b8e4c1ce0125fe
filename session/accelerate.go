package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"goldm/internal/xauth"
	"goldm/session/x11"
	"goldm/session/xproxy"
)

// introduceWithin is how long the accelerator on the server may take to start; the user's
// shell reads its own files first.
const introduceWithin = 10 * time.Second

// farHalfCommand starts the accelerator's far half in the user's shell, whatever that is.
const farHalfCommand = `exec /bin/sh -c 'PATH=$PATH:/usr/local/bin:/usr/bin:/usr/sbin; exec ltsp-server-agent x11'`

// isLong reports whether the link to the server is a long one.
func (c *Client) isLong() bool { return c.line.roundTrip() >= c.long }

// farHalf is an accelerator's far half that has said where it takes programs.
type farHalf struct {
	channel ssh.Channel
	place   xproxy.Place
	cookie  []byte // which programs have to show
}

// accelerate shows a display by the accelerator. The near half gives programs to a
// Forwarder, whose policy holds here too.
func (c *Client) accelerate(far *farHalf, display *x11.Display, long bool) (*Shown, error) {
	forwarder, err := x11.NewForwarder(x11.Config{Display: display, Cookie: far.cookie, Log: c.log})
	if err == nil && !c.keepForwarder(forwarder) {
		err = errClosed
	}
	if err != nil {
		far.channel.Close()
		return nil, err
	}
	config := xproxy.NearConfig{Serve: forwarder.Serve, Log: c.log}
	if long { // watching costs each answer of the X server's a tenth of a millisecond
		config.Dial = func(ctx context.Context) (io.ReadWriteCloser, error) { return display.Dial(ctx) }
		config.AuthName, config.AuthData = display.AuthName, display.AuthData
	}
	carrying, stop := context.WithCancel(c.ctx)
	near := func() {
		defer stop()
		if err := xproxy.Near(carrying, far.channel, config); err != nil {
			c.log.Warn("the accelerated display has ended", "err", err)
		}
	}
	if !c.task(near) {
		stop()
		far.channel.Close()
		return nil, errClosed
	}
	env := map[string]string{
		"DISPLAY":    fmt.Sprintf("%s.%d", far.place.Display, display.Screen),
		"XAUTHORITY": far.place.Authority,
	}
	return &Shown{env: env, remove: stop}, nil
}

// displayName is what a far half may have taken.
var displayName = regexp.MustCompile(`^:[0-9]{1,4}$`)

// checkPlace makes sure that a server's word is fit for an environment.
func checkPlace(place xproxy.Place) error {
	if !displayName.MatchString(place.Display) {
		return fmt.Errorf("the accelerator's display is %.40q", place.Display)
	}
	if !path.IsAbs(place.Authority) || strings.ContainsFunc(place.Authority, unicode.IsControl) || !utf8.ValidString(place.Authority) {
		return fmt.Errorf("the accelerator's cookie is in %.100q", place.Authority)
	}
	return nil
}

// meetFarHalf starts the far half, which waits for the near one. Where the server has no
// ltsp-server-agent, or one of before the accelerator, the command ends at once, and io.EOF is in
// the error's chain.
func (c *Client) meetFarHalf(ctx context.Context) (*farHalf, error) {
	ctx, cancel := context.WithTimeout(ctx, introduceWithin)
	defer cancel()
	said := newSaid(c.log, "display")
	channel, err := c.channel(ctx, "exec", farHalfCommand, said)
	if err != nil {
		return nil, err
	}
	cookie := xauth.NewCookie()
	stop := context.AfterFunc(ctx, func() { channel.Close() })
	place, err := xproxy.Introduce(channel, xproxy.Offer{Cookie: cookie})
	if !stop() {
		err = errors.Join(err, context.Cause(ctx))
	}
	if err == nil {
		err = checkPlace(place)
	}
	if err != nil {
		channel.Close()
		return nil, err
	}
	said.release()
	return &farHalf{channel: channel, place: place, cookie: cookie}, nil
}

// keepForwarder has a forwarder closed with the connection; false where that is closed.
func (c *Client) keepForwarder(f *x11.Forwarder) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.forwarders = append(c.forwarders, f)
	}
	return !c.closed
}
