package info

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/infowire"
)

// Byte for byte what LTSP 5's ldminfod said of such a server.
func TestText(t *testing.T) {
	got := string(source(t, nil).Get(t.Context()).Text())
	want := `language:de_DE.UTF-8
language:C.UTF-8
language:ca_ES.UTF-8@valencia
language:en_US.UTF-8
session:mate-session --fast
session:startxfce4
session-with-name:MATE:mate-session --fast
session-with-name:Xfce Session:startxfce4
xsession:/etc/X11/Xsession
rating:86
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTextOfLittle(t *testing.T) {
	if got := string(Info{}.Text()); got != "rating:0\n" {
		t.Errorf("%q", got)
	}
	i := Info{Info: infowire.Info{Sessions: []infowire.Session{{Name: "a:b", Exec: []string{"run", "c:d"}}}}}
	if got := string(i.Text()); got != "session:run c:d\nsession-with-name:a b:run c:d\nrating:0\n" {
		t.Errorf("%q", got)
	}
}

// However much there is, the rating arrives.
func TestTextIsBounded(t *testing.T) {
	var i Info
	for n := range 2000 {
		i.Languages = append(i.Languages, fmt.Sprintf("xx_%04d.UTF-8", n))
		i.Sessions = append(i.Sessions, infowire.Session{ID: "s", Name: fmt.Sprint("Session ", n), Exec: []string{"start", fmt.Sprint(n)}})
	}
	got := string(i.Text())
	if len(got) > maxText || len(got) < maxText-100 || !strings.HasSuffix(got, "\nrating:0\n") {
		t.Errorf("%d bytes, the last of them %q", len(got), got[len(got)-40:])
	}
}
