package login

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/pulse"
	"goldm/ldm/greetd"
	"goldm/ldm/wire"
)

var update = flag.Bool("update", false, "write what the machine does into the scripts; read the difference before you commit it")

// The scripts in testdata are the state machine's manual. A line "> event"
// happens; the lines "< action" after it are all that it leads to, in order; a
// line "= state" says where that leaves the seat; lines "! setting" come first.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.script")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".script"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(text), got); diff != "" && !*update {
				t.Errorf("script (-) and machine (+) differ:\n%s", diff)
			}
		})
	}
}

// replay returns the script as the machine would have written it.
func replay(t *testing.T, script string) string {
	config := Config{
		Hostname: "station-07", Servers: []string{"one", "two:2222"},
		Session: "icewm-session", Notices: []string{"ltsp.conf:3 makes no sense."},
	}
	var out strings.Builder
	var m *Machine
	var actions []Action
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		event, isEvent := strings.CutPrefix(line, "> ")
		setting, isSetting := strings.CutPrefix(line, "! ")
		switch {
		case isSetting:
			configure(t, &config, setting)
			fmt.Fprintln(&out, line)
		case strings.HasPrefix(line, "< "):
		case strings.HasPrefix(line, "= "):
			fmt.Fprintf(&out, "= %v\n", m.state)
		case isEvent:
			if event == "begin" {
				m = New(config)
				actions = m.Begin()
			} else {
				actions = m.Handle(parse(t, event))
			}
			fmt.Fprintln(&out, line)
			for _, a := range actions {
				fmt.Fprintf(&out, "< %s\n", show(t, a))
			}
		default:
			fmt.Fprintln(&out, line)
		}
	}
	return out.String()
}

// configure changes the configuration, before the seat begins.
func configure(t *testing.T, c *Config, line string) {
	t.Helper()
	name, value, _ := strings.Cut(line, " ")
	switch name {
	case "automatic":
		c.Automatic = &Account{User: "station-07", Password: "its password"}
	case "guest":
		c.Guest = &Account{User: "guest", Password: "guest", Servers: []string{"kiosk"}}
	case "timeout":
		c.Timeout, _ = strconv.Atoi(value)
	case "apps":
		c.Apps = &wire.Apps{Menu: true, URLs: strings.Fields(value)}
	case "logout":
		c.LogoutActions = strings.Fields(value)
	case "discover":
		c.Discover = true
	case "one-session":
		c.OneSession = value
	case "users":
		c.Users = strings.Fields(value)
	default:
		t.Fatalf("unknown setting %q", line)
	}
}

func parse(t *testing.T, line string) Event {
	t.Helper()
	name, rest, _ := strings.Cut(line, " ")
	number, argument, _ := strings.Cut(rest, " ")
	id, _ := strconv.Atoi(number)
	switch name {
	case "x-up":
		display, cookie, _ := strings.Cut(rest, " ")
		return XUp{Screen: wire.Screen{Display: display, Cookie: []byte(cookie)}}
	case "x-gone":
		return XGone{Err: errors.New(rest)}
	case "x-hung":
		return XGone{Err: pulse.ErrHung}
	case "greeter-hung":
		return GreeterGone{Err: pulse.ErrHung}
	case "worker-hung":
		return WorkerGone{Login: LoginID(id), Err: pulse.ErrHung}
	case "abort-key":
		return AbortKey{}
	case "greeter-gone":
		return GreeterGone{Err: errors.New(rest)}
	case "request":
		frame := binary.NativeEndian.AppendUint32(nil, uint32(len(argument)))
		r, err := greetd.ReadRequest(bytes.NewReader(append(frame, argument...)))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return Request{Conn: ConnID(id), Request: r}
	case "bad-request":
		return BadRequest{Conn: ConnID(id), Reason: argument}
	case "conn-gone":
		return ConnGone{Conn: ConnID(id)}
	case "worker":
		return FromWorker{Login: LoginID(id), Message: message(t, argument)}
	case "local-up":
		if argument == "" {
			return LocalUp{Login: LoginID(id)}
		}
		return LocalUp{Login: LoginID(id), Sound: &wire.Sound{Socket: argument, Cookie: []byte{1, 2, 3}}}
	case "local-gone":
		return LocalGone{Login: LoginID(id)}
	case "worker-gone":
		return WorkerGone{Login: LoginID(id), Err: errors.New(argument)}
	case "servers":
		m := message(t, "servers "+rest).(*wire.Servers)
		return Servers{List: m.List}
	case "shutdown":
		return Shutdown{}
	}
	t.Fatalf("unknown event %q", line)
	return nil
}

func message(t *testing.T, line string) wire.Message {
	t.Helper()
	name, fields, _ := strings.Cut(line, " ")
	m := map[string]wire.Message{
		"progress": new(wire.Progress), "question": new(wire.Question), "authenticated": new(wire.Authenticated),
		"failed": new(wire.Failed), "started": new(wire.Started), "ended": new(wire.Ended), "login": new(wire.Login), "servers": new(wire.Servers),
		"run": new(wire.Run), "logout": new(wire.LogoutAction), "pong": new(wire.Pong),
	}[name]
	if fields == "" {
		fields = "{}"
	}
	if err := json.Unmarshal([]byte(fields), m); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return m
}

func show(t *testing.T, a Action) string {
	t.Helper()
	switch a := a.(type) {
	case StartX:
		if a.Session {
			return fmt.Sprintf("start-x %v session", a.After)
		}
		return fmt.Sprintf("start-x %v", a.After)
	case StopX:
		return "stop-x"
	case StartGreeter:
		return fmt.Sprintf("start-greeter %v", a.After)
	case StopGreeter:
		return "stop-greeter"
	case Reply:
		var frame bytes.Buffer
		if err := greetd.WriteResponse(&frame, a.Response); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("reply %d %s", a.Conn, frame.Bytes()[4:])
	case StartWorker:
		var known []byte
		if len(a.Known) > 0 {
			known, _ = json.Marshal(a.Known)
		}
		found := ""
		if len(a.Found) > 0 {
			found = fmt.Sprintf("found %q", a.Found)
		}
		return strings.Join(strings.Fields(fmt.Sprintf("start-worker %d %q %q %s %s %s", a.Login, a.User, a.Servers, a.OneSession, known, found)), " ")
	case Tell:
		text, err := json.Marshal(a.Message)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("tell %d %s %s", a.Login, strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", a.Message), "*wire.")), text)
	case StopWorker:
		return fmt.Sprintf("stop-worker %d", a.Login)
	case StartLocal:
		return strings.TrimSpace(fmt.Sprintf("start-local %d %q %s", a.Login, a.User, a.Language))
	case ShowLocal:
		return strings.TrimSpace(fmt.Sprintf("show-local %d %s %s", a.Login, a.Screen.Display, a.Screen.Cookie))
	case RunProgram:
		return fmt.Sprintf("run-program %d %d %q", a.Login, a.Run.ID, a.Run.Args)
	case SwitchOff:
		return fmt.Sprintf("switch-off %d %s", a.Login, a.Action)
	case StopLocal:
		return fmt.Sprintf("stop-local %d", a.Login)
	case Report:
		return strings.TrimSpace(fmt.Sprintf("report %d %s %s", a.Login, a.Text, a.Detail))
	case Announce:
		return "announce " + a.Text
	case Exit:
		return "exit"
	}
	t.Fatalf("unknown action %T", a)
	return ""
}
