package session

import (
	"context"
	"encoding/hex"
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

	"goldm/session/x11"
	"goldm/session/xproxy"
)

// introduceWithin is how long the accelerator on the server may take to start; the user's
// shell reads its own files first.
const introduceWithin = 10 * time.Second

// farHalf starts the accelerator's far half in the user's shell, whatever that is.
const farHalf = `exec /bin/sh -c 'PATH=$PATH:/usr/local/bin:/usr/bin:/usr/sbin; exec ltsp-server-agent x11'`

// isLong reports whether the link to the server is a long one.
func (c *Client) isLong() bool { return c.line.roundTrip() >= c.long }

// accelerate shows a display by the accelerator. The near half gives programs to a
// Forwarder, whose policy holds here too. Where the server has no ltsp-server-agent, or
// one of before the accelerator, the command ends at once, and io.EOF is in the error's chain.
func (c *Client) accelerate(ctx context.Context, display *x11.Display, long bool) (*Shown, error) {
	forwarder, err := x11.NewForwarder(x11.Config{Display: display, Log: c.log})
	if err != nil {
		return nil, err
	}
	if !c.keepForwarder(forwarder) {
		return nil, errClosed
	}
	channel, place, err := c.meetFarHalf(ctx, forwarder)
	if err != nil {
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
		if err := xproxy.Near(carrying, channel, config); err != nil {
			c.log.Warn("the accelerated display has ended", "err", err)
		}
	}
	if !c.task(near) {
		stop()
		channel.Close()
		return nil, errClosed
	}
	env := map[string]string{
		"DISPLAY":    fmt.Sprintf("%s.%d", place.Display, display.Screen),
		"XAUTHORITY": place.Authority,
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

// meetFarHalf starts the far half, which takes programs that have the forwarder's cookie.
func (c *Client) meetFarHalf(ctx context.Context, forwarder *x11.Forwarder) (ssh.Channel, xproxy.Place, error) {
	ctx, cancel := context.WithTimeout(ctx, introduceWithin)
	defer cancel()
	var offer xproxy.Offer
	var err error
	_, cookie, _ := forwarder.Request()
	if offer.Cookie, err = hex.DecodeString(cookie); err != nil {
		return nil, xproxy.Place{}, err
	}
	said := newSaid(c.log, "display")
	channel, err := c.channel(ctx, "exec", farHalf, said)
	if err != nil {
		return nil, xproxy.Place{}, err
	}
	stop := context.AfterFunc(ctx, func() { channel.Close() })
	place, err := xproxy.Introduce(channel, offer)
	if !stop() {
		err = errors.Join(err, context.Cause(ctx))
	}
	if err == nil {
		err = checkPlace(place)
	}
	if err != nil {
		channel.Close()
		return nil, xproxy.Place{}, err
	}
	said.release()
	return channel, place, nil
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
