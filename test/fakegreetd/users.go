package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"goldm/internal/failure"
	"goldm/ldm/greetd"
)

var errWrong = failure.Refuse(nil,
	"alpha.example.org did not accept the password. Check the Caps Lock key and try again.")

// users have a dialogue each. Where nothing else is said the password is
// "secret".
var users = map[string]func(*conversation) error{
	"anna":    password("secret"),
	"jürgen":  password("gehëim mit €"),
	"otp":     otp,
	"expired": expired,
	"banner":  banner,
	"motd":    motd,
	"slow":    slow,
	"hostile": hostile,
}

// accounts are those of the configuration: they ask nothing.
var accounts = map[string]func(*conversation) error{
	"ready":  func(*conversation) error { return nil },
	"slow":   func(c *conversation) error { return c.take(30*time.Second, "Connecting to alpha.example.org …") },
	"locked": func(*conversation) error { return errLocked },
}

var errLocked = failure.Refuse(nil, "alpha.example.org refused the login: the account is locked.")

func noAccount(*conversation) error { return failure.Refuse(nil, "This client has no such login.") }

func userNames() string { return strings.Join(slices.Sorted(maps.Keys(users)), ", ") }

func accountNames() string { return strings.Join(slices.Sorted(maps.Keys(accounts)), ", ") }

func password(right string) func(*conversation) error {
	return func(c *conversation) error {
		answer, err := c.ask(greetd.Secret, "Password: ")
		if err != nil {
			return err
		}
		if answer != right {
			return errWrong
		}
		return nil
	}
}

// stranger is everybody else: no answer is right.
func stranger(c *conversation) error {
	if _, err := c.ask(greetd.Secret, "Password: "); err != nil {
		return err
	}
	return errWrong
}

// otp asks for a code, 123456, after the password.
func otp(c *conversation) error {
	if err := password("secret")(c); err != nil {
		return err
	}
	code, err := c.ask(greetd.Visible, "One-time password (OATH) for `otp': ")
	if err != nil {
		return err
	}
	if code != "123456" {
		return failure.Refuse(nil, "alpha.example.org did not accept the code.")
	}
	return nil
}

// expired wants a new password twice, of at least eight letters, as PAM does.
func expired(c *conversation) error {
	if err := password("secret")(c); err != nil {
		return err
	}
	for range 3 {
		first, err := c.ask(greetd.Secret,
			"You are required to change your password immediately (password expired).\nNew password: ")
		if err != nil {
			return err
		}
		if len([]rune(first)) < 8 {
			if err := c.tell(greetd.Trouble, "BAD PASSWORD: The password is shorter than 8 characters"); err != nil {
				return err
			}
			continue
		}
		second, err := c.ask(greetd.Secret, "Retype new password: ")
		if err != nil {
			return err
		}
		if first == second {
			return nil
		}
		if err := c.tell(greetd.Trouble, "Sorry, passwords do not match."); err != nil {
			return err
		}
	}
	return failure.Refuse(nil, "The password was not changed. Ask your administrator.")
}

// banner says a lot before it asks.
func banner(c *conversation) error {
	var lines []string
	for i := range 40 {
		lines = append(lines, fmt.Sprintf("§ %d  Use of this system is monitored, recorded and subject to audit. "+
			"Unauthorised use is prohibited.", i+1))
	}
	for _, m := range []struct{ kind, text string }{
		{greetd.Info, strings.Join(lines, "\n")},
		{greetd.Info, "Maintenance on Friday from 17:00 to 19:00; the file server will not be there."},
		{greetd.Trouble, "Your home directory is nearly full."},
	} {
		if err := c.tell(m.kind, m.text); err != nil {
			return err
		}
	}
	return password("secret")(c)
}

// motd has something to say at the end.
func motd(c *conversation) error {
	if err := password("secret")(c); err != nil {
		return err
	}
	return c.tell(greetd.Info, "Your password will expire in 3 days.")
}

// slow takes half a minute before it asks.
func slow(c *conversation) error {
	for i := range 10 {
		step := "Connecting to alpha.example.org …"
		if i > 0 {
			step = fmt.Sprintf("alpha.example.org is busy; trying again (%d) …", i)
		}
		if err := c.take(3*time.Second, step); err != nil {
			return err
		}
	}
	return password("secret")(c)
}

// hostile tries to get out of its box.
func hostile(c *conversation) error {
	texts := []string{
		"<span size=\"200000\">markup</span> &amp; \x1b[2J\x1b]0;title\x07escape sequences, \u202eoverrides\u202c",
		strings.Repeat("a line that nobody can break ", 3) + strings.Repeat("unbreakable", 500),
		strings.Repeat("tall\n", 5000),
	}
	for range 12 {
		texts = append(texts, strings.Repeat("unbreakable", 5000))
	}
	for _, text := range texts {
		if err := c.tell(greetd.Info, text); err != nil {
			return err
		}
	}
	_, err := c.ask(greetd.Visible, strings.Repeat("wide", 3000)+": ")
	if err != nil {
		return err
	}
	return failure.Refuse(nil, "%s", strings.Repeat("No. ", 2000))
}
