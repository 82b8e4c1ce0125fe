package e2e

import (
	"errors"
	"io/fs"
	"testing"
)

// A session by hand starts those programs of the own computer that are named, and no others.
func TestByHandApps(t *testing.T) {
	s := newStation(t)
	s.byHand()
	s.giveKey()
	const script = `
		ltsp-localapps --wait touch "made here"; echo $?
		ltsp-localapps --wait false; echo $?
		ltsp-localapps id; echo $?
		ltsp-localapps --wait no-such-program; echo $?`
	const legacy = `xprop -root -f LTSP_COMMAND 8u -set LTSP_COMMAND "touch by-property"; ltsp-localapps --wait true; echo $?`
	for _, tt := range []struct {
		name    string
		options []string
		script  string
		out     string
	}{
		{"off", nil, script, "69\n69\n69\n69\n"},
		{"some", []string{"--local-apps", "touch,false"}, script, "0\n1\n126\n126\n"},
		{"by property, off", []string{"--local-apps", "touch,true"}, legacy, "0\n"},
	} {
		out, err := s.ldmSession(append(tt.options, "anna@server", "--", tt.script)...).Output()
		if err != nil || string(out) != tt.out {
			t.Errorf("%s: %v; printed %q, want %q", tt.name, err, out, tt.out)
		}
	}
	if _, err := s.Client.Stat("/home/carl/made here"); err != nil {
		t.Errorf("not made on the client: %v", err)
	}
	if _, err := s.Server.Stat("/home/anna/made here"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made on the server: %v", err)
	}
	if _, err := s.Client.Stat("/home/carl/by-property"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LTSP_COMMAND was heard: %v", err)
	}
	out, err := s.ldmSession("--local-apps", "touch,true", "--legacy-local-apps", "anna@server", "--", legacy).Output()
	if err != nil || string(out) != "0\n" {
		t.Errorf("by property: %v, %q", err, out)
	}
	settle(t, "LTSP_COMMAND is heard", func() bool {
		_, err := s.Client.Stat("/home/carl/by-property")
		return err == nil
	})
}
