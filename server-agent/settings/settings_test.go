package settings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldm/server-agent/settings"
)

func TestParse(t *testing.T) {
	got, problems := settings.Parse("f", `# a server of four
name = LTSP1.example.org
address = ltsp1.example.org 192.0.2.1, 2001:db8::1
ssh-port = 2222
listen = none
listen-http = "127.0.0.1:9572 [::1]:9572"
metrics = 9573

cluster = etcd
endpoints = https://a:2379 https://b:2379
ca = /etc/ltsp/etcd/ca.pem
cert = '/etc/ltsp/etcd/my cert.pem'   # with a blank
key = /etc/ltsp/etcd/key.pem
prefix = /school/
lease = 60
`)
	want := settings.Settings{
		ListenHTTP: []string{"127.0.0.1:9572", "[::1]:9572"},
		Metrics:    "127.0.0.1:9573",
		Name:       "ltsp1.example.org",
		Address:    []string{"ltsp1.example.org", "192.0.2.1", "2001:db8::1"},
		SSHPort:    2222,
		Cluster:    settings.Etcd,
		Endpoints:  []string{"https://a:2379", "https://b:2379"},
		CA:         "/etc/ltsp/etcd/ca.pem", Cert: "/etc/ltsp/etcd/my cert.pem", Key: "/etc/ltsp/etcd/key.pem",
		Prefix: "/school/",
		Lease:  time.Minute,
	}
	if d := cmp.Diff(want, got); d != "" || len(problems) > 0 {
		t.Errorf("%v %s", problems, d)
	}
}

// A bad line leaves the default, and says where it is and what was expected.
func TestBadLines(t *testing.T) {
	tests := []struct{ line, want string }{
		{"[server]", "expected name = value"},
		{"listen", "expected name = value"},
		{"= x", "expected name = value"},
		{"clutser = etcd", "did you mean cluster?"},
		{"LISTEN = :1", "did you mean listen?"},
		{"colour = red", "is not a setting"},
		{`name = "open`, "expected a closing quote"},
		{"name = $HOST", "not expanded"},
		{"name = -x", "expected a name"},
		{"name = a/b", "expected a name"},
		{"address = a:22", "without port"},
		{"address =", "expected 1 to 8"},
		{"ssh-port = 0", "expected a port"},
		{"ssh-port = 70000", "expected a port"},
		{"listen = 9571", "[address]:port"},
		{"listen =", "[address]:port"},
		{"listen-http = server:9572", "not a name"},
		{"metrics = many", "[address]:port"},
		{"cluster = zookeeper", "expected etcd or none"},
		{"endpoints = a:2379", "expected https://host:2379"},
		{"endpoints = https://user:pass@a:2379", "expected https://host:2379"},
		{"ca = ca.pem", "path that begins with /"},
		{"prefix = ltsp", "such as /ltsp/"},
		{"lease = 1", "from 5 to 600"},
		{"lease = 99999999999999999999", "from 5 to 600"},
		{"lease = 9223372037", "from 5 to 600"},
	}
	for _, tt := range tests {
		got, problems := settings.Parse("/etc/x.conf", "\n"+tt.line+"\n")
		if len(problems) != 1 || !strings.HasPrefix(problems[0].String(), "/etc/x.conf:2: ") || !strings.Contains(problems[0].Text, tt.want) {
			t.Errorf("%q: %v, want one with %q", tt.line, problems, tt.want)
		}
		if d := cmp.Diff(settings.Default(), got); d != "" {
			t.Errorf("%q changed something: %s", tt.line, d)
		}
	}
}

func TestWhole(t *testing.T) {
	for text, want := range map[string]string{
		"cluster = etcd": "f:1: cluster = etcd: expected a line endpoints",
		"cluster = etcd\nendpoints = http://a:1\ncert = /x": "f:3: expected both cert and key",
		"name = a\nname = b": "f:2: name was set in line 1 already; this line counts",
	} {
		got, problems := settings.Parse("f", text)
		if len(problems) != 1 || !strings.HasPrefix(problems[0].String(), want) || got.Cluster != "" {
			t.Errorf("%q: %v, cluster %q", text, problems, got.Cluster)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server-agent.conf")
	if got, problems, err := settings.Load(path); err != nil || problems != nil || cmp.Diff(settings.Default(), got) != "" {
		t.Errorf("without a file: %+v, %v, %v", got, problems, err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("#", 1<<20)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, problems, err := settings.Load(path); err != nil || len(problems) != 1 {
		t.Errorf("a huge file: %v, %v", problems, err)
	}
	if _, _, err := settings.Load(t.TempDir()); err == nil {
		t.Error("a folder: no error")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("cluster = etcd\nendpoints = https://a:1\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, _ := settings.Parse("f", text)
		if s.Cluster != "" && len(s.Endpoints) == 0 || s.Lease < time.Second || s.SSHPort < 1 || !strings.HasPrefix(s.Prefix, "/") {
			t.Errorf("%+v", s)
		}
	})
}
