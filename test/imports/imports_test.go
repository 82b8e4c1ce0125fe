package imports

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const (
	gtk = "github.com/gotk3/gotk3/..."
	ssh = "golang.org/x/crypto/ssh/..."
	web = "net/http/..."
)

// daemons is what packages may import that the server's daemon takes.
var daemons = []string{"goldm/server-agent/...", "goldm/internal/..."}

// rules holds the table. The first rule that names a package is the package's.
var rules = []rule{
	// Programs wire what they like, but not into the process that must not have it.
	{packages: "goldm/cmd/ldm", never: []string{gtk, ssh, "goldm/session/...", "goldm/greeter/..."}},
	{packages: "goldm/cmd/ldm-greeter", never: []string{ssh, "goldm/session/..."}},
	{packages: "goldm/cmd/ltsp-server-agent", never: []string{gtk, ssh}, heavy: true},
	{packages: "goldm/cmd/ltsp-session-agent", never: []string{gtk, ssh, web}},
	{packages: "goldm/cmd/ltsp-localapps", never: []string{gtk, ssh, "goldm/ldm/...", "goldm/session/..."}},
	{packages: "goldm/cmd/...", never: []string{gtk}},

	// The wire messages are leaves, since both sides import them.
	{packages: "goldm/ldm/wire", only: []string{"goldm/internal/tagged", "goldm/internal/via"}, never: []string{gtk, ssh}},
	{packages: "goldm/ldm/greetd", only: []string{"goldm/internal/tagged"}, never: []string{gtk, ssh}},

	{packages: "goldm/ldm/...", only: []string{"goldm/ldm/...", "goldm/internal/..."}, never: []string{gtk, ssh}},
	{packages: "goldm/greeter/gtk", only: []string{"goldm/greeter/...", "goldm/ldm/greetd", "goldm/internal/..."}, never: []string{ssh}},
	{packages: "goldm/greeter/...", only: []string{"goldm/greeter/...", "goldm/ldm/greetd", "goldm/internal/..."}, never: []string{gtk, ssh}},
	{packages: "goldm/session/xproxy/...", only: []string{"goldm/session/xproxy/...", "goldm/internal/x11", "goldm/internal/peer", "goldm/internal/folder"}, never: []string{gtk, ssh}},
	{packages: "goldm/session/...", only: []string{"goldm/session/...", "goldm/localapps/...", "goldm/internal/...", "goldm/ldm/wire", "goldm/ldm/greetd"}, never: []string{gtk}},
	{packages: "goldm/localapps/...", only: []string{"goldm/localapps/...", "goldm/internal/..."}, never: []string{gtk, ssh}},

	// The daemon's packages, and then those of which each session has processes.
	{packages: "goldm/server-agent/commands", only: daemons, never: []string{gtk, ssh}, heavy: true},
	{packages: "goldm/server-agent/cluster", only: daemons, never: []string{gtk, ssh}, heavy: true},
	{packages: "goldm/server-agent/control/server", only: daemons, never: []string{gtk, ssh}, heavy: true},
	{packages: "goldm/server-agent/metrics", only: daemons, never: []string{gtk, ssh}, heavy: true},
	{packages: "goldm/server-agent/serve", only: daemons, never: []string{gtk, ssh}},
	{packages: "goldm/server-agent/...", only: []string{"goldm/server-agent/...", "goldm/session/xproxy/...", "goldm/internal/..."}, never: []string{gtk, ssh, web}},

	{packages: "goldm/internal/...", only: []string{"goldm/internal/..."}, never: []string{gtk, ssh}},

	{packages: "goldm/test/..."},
}

// list asks the Go command for the packages and all that they import, tests
// left out.
func list(t *testing.T) graph {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,GoFiles,CgoFiles", "goldm/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	g := make(graph)
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath        string
			Imports           []string
			GoFiles, CgoFiles []string
		}
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return g
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles)+len(p.CgoFiles) > 0 { // else there are tests only
			g[p.ImportPath] = p.Imports
		}
	}
}

func TestImports(t *testing.T) {
	g := list(t)
	if len(g.of("goldm/...")) < 10 || len(g.of(gtk)) == 0 || len(g.of(ssh)) == 0 {
		t.Fatalf("the list lacks packages: %q", g.of("..."))
	}
	for _, pattern := range heavy { // else a rule would hold for want of what it is about
		if g.path("goldm/cmd/ltsp-server-agent", pattern) == nil {
			t.Errorf("the server's agent does not have %s either", pattern)
		}
	}
	for _, complaint := range check(g, rules) {
		t.Error(complaint)
	}
}

// TestWithoutC builds everything but the login screen without a C compiler.
func TestWithoutC(t *testing.T) {
	g := list(t)
	args := []string{"build"}
	for _, p := range g.of("goldm/...") {
		if g.path(p, gtk) == nil {
			args = append(args, p)
		}
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestRulesBite shows that the checker finds what it is there for.
func TestRulesBite(t *testing.T) {
	tests := []struct {
		name string
		g    graph
		want string // within the complaint; none where empty
	}{
		{"allowed", graph{"goldm/ldm": {"goldm/ldm/wire", "goldm/internal/x"}, "goldm/internal/x": {"fmt"}}, ""},
		{"gtk in the daemon", graph{"goldm/ldm/seat": {"github.com/gotk3/gotk3/gtk"}}, "goldm/ldm/seat → github.com/gotk3/gotk3/gtk"},
		{"ssh behind two doors", graph{
			"goldm/ldm": {"a.example/a"}, "a.example/a": {"b.example/b"}, "b.example/b": {"golang.org/x/crypto/ssh/agent"},
		}, "goldm/ldm → a.example/a → b.example/b → golang.org/x/crypto/ssh/agent"},
		{"session in the daemon's program", graph{"goldm/cmd/ldm": {"goldm/session/x11"}, "goldm/session/x11": nil}, "goldm/session/x11"},
		{"ldm in the session", graph{"goldm/session": {"goldm/ldm/config"}}, "goldm/ldm/config"},
		{"the session's leaf", graph{"goldm/session": {"goldm/ldm/wire"}}, ""},
		{"gtk in its package", graph{"goldm/greeter/gtk": {"github.com/gotk3/gotk3/gtk"}}, ""},
		{"gtk in the greeter's model", graph{"goldm/greeter": {"github.com/gotk3/gotk3/glib"}}, "gotk3"},
		{"up from internal", graph{"goldm/internal/x": {"goldm/session/prompt"}}, "goldm/session/prompt"},
		{"a cluster in the client", graph{"goldm/session": {"go.etcd.io/etcd/client/v3"}}, "go.etcd.io/etcd"},
		{"a cluster in the daemon", graph{"goldm/server-agent/cluster": {"go.etcd.io/etcd/client/v3"}}, ""},
		{"a cluster in a server's sessions", graph{
			"goldm/server-agent/wrap": {"goldm/server-agent/cluster"}, "goldm/server-agent/cluster": {"go.etcd.io/etcd/client/v3"},
		}, "goldm/server-agent/wrap → goldm/server-agent/cluster → go.etcd.io"},
		{"what clusters are built of in the sessions' program", graph{"goldm/cmd/ltsp-session-agent": {"google.golang.org/protobuf/proto"}}, "google.golang.org/protobuf"},
		{"metrics in a server's sessions", graph{"goldm/server-agent/agent": {"github.com/prometheus/client_golang/prometheus"}}, "prometheus"},
		{"a web server in a server's sessions", graph{"goldm/server-agent/agent": {"net/http"}}, "net/http"},
		{"a folder without a rule", graph{"goldm/misc": nil}, "no rule"},
		{"a name that only begins alike", graph{"goldm/ldmx": nil}, "no rule"},
	}
	for _, tt := range tests {
		complaints := strings.Join(check(tt.g, rules), "\n")
		if (tt.want == "") != (complaints == "") || !strings.Contains(complaints, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, complaints, tt.want)
		}
	}
}
