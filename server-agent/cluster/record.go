package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"goldm/internal/text"
	"goldm/server-agent/sessions"
	"goldm/server-agent/settings"
)

// Bounds of what is read.
const (
	maxKey          = 1 << 10 // bytes, without the prefix
	maxValue        = 4 << 10
	maxServers      = 1000
	maxSessions     = 20_000
	maxSessionsUser = 2000 // an account that all visitors share has one for each client
	maxEndings      = 4000 // of sessions of this server
	maxHosts        = 16
	maxKeys         = 16
	maxUser         = 256 // bytes
	maxText         = 253 // bytes of a client's name, a fingerprint, a version
)

// What one of these takes at most, in bytes, with its place in a map that grows.
const (
	sessionMemory = 2000
	serverMemory  = 6000
	endingMemory  = 1400

	// lostMemory is of a key that was complained about.
	lostMemory = maxKey + 200
)

// MaxMemory is what the cluster takes at most, in bytes: what the other servers say, twice while
// it is read anew, and two answers of etcd's, as they come and decoded.
const MaxMemory = 2*(maxServers*(serverMemory+lostMemory)+maxSessions*sessionMemory+maxEndings*endingMemory) + 4*maxAnswer

// Server is what one server says of itself.
type Server struct {
	Name     string   `json:"-"`        // in the cluster; the key has it
	Identity string   `json:"identity"` // of this machine since it was switched on
	Hosts    []string `json:"hosts"`    // names and addresses by which clients reach it
	Port     int      `json:"port"`     // of sshd
	Keys     []string `json:"keys"`     // fingerprints of its host keys
	Version  string   `json:"version"`  // of the agent
	Report
}

// Report is what changes while a server runs.
type Report struct {
	Rating   int  `json:"rating"` // 0 to 100; -1 unknown
	Sessions int  `json:"sessions"`
	Drained  bool `json:"drained"`
}

// Session is a session of a user on a server.
type Session struct {
	ID     string    `json:"-"`      // the key has these three
	User   string    `json:"-"`      //
	Server string    `json:"-"`      //
	Client string    `json:"client"` // the name of the thin client
	Began  time.Time `json:"began"`  // by the server's clock, for people to read

	// Ending is set once the session ends: it is in nobody's way, but for those who wait
	// until it has ended.
	Ending bool `json:"ending,omitempty"`
}

// ending asks a server to end one of its sessions. The key has server and ID.
type ending struct {
	User string `json:"user"` // whose it is
	By   string `json:"by"`   // where the user is instead
}

// The keys, below the prefix; names that may hold anything are escaped.
const (
	serversKey  = "servers/"  // NAME
	sessionsKey = "sessions/" // USER/SERVER/ID
	endingsKey  = "endings/"  // SERVER/ID
)

func serverKey(name string) string { return serversKey + name }

// userKey begins the keys of a user's sessions.
func userKey(user string) string { return sessionsKey + url.PathEscape(user) + "/" }

func sessionKey(s Session) string { return userKey(s.User) + s.Server + "/" + s.ID }

func endingKey(server, id string) string { return endingsKey + server + "/" + id }

// decodeServer reads what is below serversKey.
func decodeServer(key string, value []byte) (Server, error) {
	s := Server{Report: Report{Rating: -1}}
	if err := decode(value, &s); err != nil {
		return Server{}, err
	}
	s.Name = key
	switch {
	case !isName(s.Name):
		return Server{}, errors.New("not a server's name")
	case s.Port < 1 || s.Port > 65535:
		return Server{}, fmt.Errorf("port %d", s.Port)
	case len(s.Hosts) == 0 || len(s.Hosts) > maxHosts || len(s.Keys) > maxKeys:
		return Server{}, fmt.Errorf("%d hosts, %d keys", len(s.Hosts), len(s.Keys))
	case s.Rating < -1 || s.Rating > 100 || s.Sessions < 0:
		return Server{}, fmt.Errorf("rating %d, %d sessions", s.Rating, s.Sessions)
	case !isPrintable(s.Identity) || s.Identity == "" || !isPrintable(s.Version):
		return Server{}, errors.New("odd identity or version")
	}
	for _, host := range s.Hosts {
		if !settings.IsHost(host) {
			return Server{}, errors.New("odd host name")
		}
	}
	for _, k := range s.Keys {
		if !isPrintable(k) {
			return Server{}, errors.New("odd fingerprint")
		}
	}
	return s, nil
}

// decodeSession reads what is below sessionsKey.
func decodeSession(key string, value []byte) (Session, error) {
	parts := strings.Split(key, "/")
	if len(parts) != 3 {
		return Session{}, errors.New("not USER/SERVER/ID")
	}
	user, err := url.PathUnescape(parts[0])
	if err != nil || url.PathEscape(user) != parts[0] {
		return Session{}, errors.New("odd escapes")
	}
	var s Session
	if err := decode(value, &s); err != nil {
		return Session{}, err
	}
	s.User, s.Server, s.ID = user, parts[1], parts[2]
	if err := s.Check(); err != nil {
		return Session{}, err
	}
	return s, nil
}

// Check tells what is wrong with a session.
func (s Session) Check() error {
	switch {
	case !isUser(s.User):
		return errors.New("not a user's name")
	case !isName(s.Server):
		return errors.New("not a server's name")
	case !sessions.ValidID(s.ID):
		return errors.New("not a session's number")
	case !isLine(s.Client):
		return errors.New("not a client's name")
	case s.Began.Year() < 1 || s.Began.Year() > 9999:
		return errors.New("no such year")
	}
	return nil
}

func decodeEnding(value []byte) (ending, error) {
	var e ending
	if err := decode(value, &e); err != nil {
		return ending{}, err
	}
	if !isUser(e.User) || !isLine(e.By) {
		return ending{}, errors.New("odd names")
	}
	return e, nil
}

func decode(value []byte, into any) error {
	if len(value) > maxValue {
		return fmt.Errorf("over %d bytes", maxValue)
	}
	if err := json.Unmarshal(value, into); err != nil {
		return errors.New("malformed") // what JSON says may quote anything
	}
	return nil
}

// encode never fails: the structs hold text and numbers.
func encode(v any) string {
	object, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(object)
}

// isName tells whether s can be a server's name.
func isName(s string) bool { return settings.IsHost(s) && s == strings.ToLower(s) }

func isUser(s string) bool {
	return s != "" && len(s) <= maxUser && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// isLine tells whether s is text that people may be shown.
func isLine(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && text.Line(s, maxText) == s
}

func isPrintable(s string) bool {
	return len(s) <= maxText && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
