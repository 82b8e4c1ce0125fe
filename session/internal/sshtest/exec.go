package sshtest

import (
	"strings"

	"golang.org/x/crypto/ssh"
)

// Exec is a command that a client runs.
type Exec struct {
	ssh.Channel
	Line string
	Env  map[string]string
	X11  *X11 // nil where it was not asked for

	Terminal bool // whether one was asked for

	Signals chan string // that the client sent

	conn *ssh.ServerConn
}

// X11 is what an x11-req says (RFC 4254, section 6.3.1).
type X11 struct {
	SingleConnection bool
	Protocol         string
	Cookie           string
	Screen           uint32
}

// OpenX11 opens a channel for an X client (RFC 4254, section 6.3.2).
func (e *Exec) OpenX11() (ssh.Channel, error) {
	origin := ssh.Marshal(&struct {
		Address string
		Port    uint32
	}{"127.0.0.1", 6010})
	channel, requests, err := e.conn.OpenChannel("x11", origin)
	if err != nil {
		return nil, err
	}
	go ssh.DiscardRequests(requests)
	return channel, nil
}

// Open opens a channel of some other type.
func (e *Exec) Open(kind string) error {
	_, _, err := e.conn.OpenChannel(kind, nil)
	return err
}

// Exit ends the command with a status.
func (e *Exec) Exit(status uint32) {
	e.SendRequest("exit-status", false, ssh.Marshal(&struct{ Status uint32 }{status}))
	e.Close()
}

// Kill ends the command by a signal.
func (e *Exec) Kill(signal string) {
	e.SendRequest("exit-signal", false, ssh.Marshal(&struct {
		Signal          string
		CoreDumped      bool
		Error, Language string
	}{Signal: signal}))
	e.Close()
}

func (s *Server) session(conn *ssh.ServerConn, channel ssh.Channel, requests <-chan *ssh.Request) {
	e := &Exec{Channel: channel, Env: make(map[string]string), Signals: make(chan string, 16), conn: conn}
	defer channel.Close()
	for request := range requests {
		ok := s.request(e, request)
		if request.WantReply {
			request.Reply(ok, nil)
		}
		if ok && request.Type == "exec" {
			s.tasks.Go(func() { s.exec(e) })
		}
	}
}

func (s *Server) request(e *Exec, request *ssh.Request) bool {
	switch request.Type {
	case "env":
		var variable struct{ Name, Value string }
		if ssh.Unmarshal(request.Payload, &variable) != nil {
			return false
		}
		e.Env[variable.Name] = variable.Value
		return true
	case "pty-req":
		e.Terminal = true
		return true
	case "x11-req":
		e.X11 = new(X11)
		return ssh.Unmarshal(request.Payload, e.X11) == nil && !s.config.NoX11
	case "exec":
		var command struct{ Line string }
		err := ssh.Unmarshal(request.Payload, &command)
		e.Line = command.Line
		return err == nil && !s.config.NoExec
	case "subsystem":
		var subsystem struct{ Name string }
		if ssh.Unmarshal(request.Payload, &subsystem) != nil || s.config.Subsystem == nil {
			return false
		}
		s.tasks.Go(func() {
			defer e.Close()
			s.config.Subsystem(subsystem.Name, e.Channel)
		})
		return true
	case "signal":
		var signal struct{ Name string }
		if ssh.Unmarshal(request.Payload, &signal) == nil {
			select {
			case e.Signals <- signal.Name:
			default:
			}
		}
	}
	return false
}

// noAgent tells whether a command is the X11 accelerator's, which this server has not, as sh
// would say.
func noAgent(e *Exec) bool { return strings.HasSuffix(e.Line, "exec ltsp-server-agent x11'") }

func (s *Server) exec(e *Exec) {
	if noAgent(e) && !s.config.Accelerator {
		e.Exit(127)
		return
	}
	if s.config.Exec == nil {
		e.Exit(0)
		return
	}
	s.config.Exec(e)
	e.Close()
}
