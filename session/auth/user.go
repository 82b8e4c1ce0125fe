package auth

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"goldm/internal/failure"
)

// maxUser bounds a user name, in bytes; Linux's LOGIN_NAME_MAX is 256 with the NUL.
const maxUser = 255

// CheckUser returns a failure for what no server can take as a user name. Blanks
// and a leading dash are legal: no command line is built from the name.
func CheckUser(name string) error {
	switch {
	case name == "":
		return failure.Refuse(nil, "No user name was given. Type your user name.")
	case len(name) > maxUser:
		return failure.Refuse(errors.New("user name too long"), "This user name is too long. Type it again.")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return failure.Refuse(errors.New("user name with control characters"),
			"This user name has characters that no user name can have. Type it again.")
	}
	return nil
}
