package testbed

import (
	"slices"
	"testing"
)

func TestParseUsers(t *testing.T) {
	passwd := "root:x:0:0:root:/root:/bin/bash\nbroken\nanna:x:1000:1001:Anna,,,:/home/anna:/bin/sh\n"
	u, ok := parsePasswd(passwd, "anna")
	if !ok || u.UID != 1000 || u.GID != 1001 || u.Home != "/home/anna" || u.Shell != "/bin/sh" {
		t.Errorf("anna is %+v, %v", u, ok)
	}
	for _, name := range []string{"broken", "ann", ""} {
		if u, ok := parsePasswd(passwd, name); ok {
			t.Errorf("%q is %+v", name, u)
		}
	}
	group := "audio:x:29:berta,anna\nvideo:x:44:annabell\ncdrom:x:24:anna\nbad:x:y:anna\n"
	if got := parseGroups(group, "anna"); !slices.Equal(got, []int{29, 24}) {
		t.Errorf("groups are %v", got)
	}
}
