package sessions

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// userLimit bounds the wait for a directory of users.
const userLimit = 10 * time.Second

// UserName returns the name of a user. One whom only a directory knows is asked for by
// getent(1), since this program, built without C, reads /etc/passwd alone.
func UserName(ctx context.Context, uid int) (string, error) {
	number := strconv.Itoa(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username, nil
	}
	ctx, cancel := context.WithTimeout(ctx, userLimit)
	defer cancel()
	line, err := exec.CommandContext(ctx, "getent", "passwd", number).Output()
	if err != nil {
		return "", fmt.Errorf("getent passwd %d: %w", uid, err)
	}
	name, _, _ := strings.Cut(string(line), ":")
	if name == "" {
		return "", errors.New("getent: no name")
	}
	return name, nil
}

// userNames returns what names users, asking for each once: a user without a name
// has a number.
func userNames(ctx context.Context) func(uid int) string {
	known := make(map[int]string)
	return func(uid int) string {
		name, asked := known[uid]
		if asked {
			return name
		}
		name, err := UserName(ctx, uid)
		if err != nil {
			name = "uid " + strconv.Itoa(uid)
		}
		known[uid] = name
		return name
	}
}
