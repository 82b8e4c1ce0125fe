package localuser

import (
	"fmt"
	"strconv"
	"strings"
)

// maxName bounds a name: sd_login(3) and useradd(8) take no more.
const maxName = 31

// chooseName returns the login's name where it can be a user's name on any
// Linux and is free, else "user" and the number.
func chooseName(login string, uid int, free bool) string {
	if free && valid(login) {
		return login
	}
	return "user" + strconv.Itoa(uid)
}

// valid is stricter than systemd, which lets more pass and then does not
// resolve it (systemd.io, USER_NAMES): a letter or an underscore first, so no
// number and no option, and nothing that has a meaning in a path or in a record.
func valid(name string) bool {
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return !letter(r) && !within(r) }) {
		return false
	}
	number, own := strings.CutPrefix(name, "user")
	return letter(rune(name[0])) && !(own && strings.Trim(number, "0123456789") == "") // could be another's by number
}

func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' }

func within(r rune) bool { return r >= '0' && r <= '9' || r == '-' || r == '.' }

// Range is what numbers are taken from, both ends included.
type Range struct{ First, Last int }

// ParseRange reads "FIRST-LAST". A range begins at 1000, below which the
// machine's own users are, and ends where numbers have a meaning of their own
// (2³¹-2; 65534 and 65535 are nobody and invalid: systemd.io, UIDS-GIDS).
func ParseRange(text string) (Range, error) {
	first, last, _ := strings.Cut(text, "-")
	var r Range
	var err1, err2 error
	r.First, err1 = strconv.Atoi(strings.TrimSpace(first))
	r.Last, err2 = strconv.Atoi(strings.TrimSpace(last))
	if err1 != nil || err2 != nil || r.First < 1000 || r.Last < r.First || r.Last > 1<<31-2 || r.has(65534) || r.has(65535) {
		return Range{}, fmt.Errorf("expected a range of user numbers such as 30000-39999")
	}
	return r, nil
}

func (r Range) has(uid int) bool { return r.First <= uid && uid <= r.Last }
