package e2e

import (
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"goldm/internal/xauth"
)

// 600 programs with a wrong cookie keep nothing out of the log: the end of the session
// is there, with its level, and so is the number of lines that were left out.
func TestAttackSilencedSession(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_X11=forwarded", "SOUND=False")
	s.start()
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")
	const flood = 600
	for range flood {
		s.showWrongCookie("tcp", "127.0.0.1:6010")
	}
	mark, x := s.log.mark(), s.xServer()
	s.logOut()
	s.backAtLogin(mark, x)
	log := s.log.String()
	if !strings.Contains(log, `level=INFO msg=says login=`) || !strings.Contains(log[mark:], `said.msg="session ended"`) {
		t.Errorf("the session's end is not in the log")
	}
	lines, refused := 0, 0
	for _, m := range regexp.MustCompile(`said\.msg=refused [^\n]*said\.rule="the session's cookie" said\.times=(\d+)`).FindAllStringSubmatch(log, -1) {
		n, _ := strconv.Atoi(m[1])
		lines, refused = lines+1, refused+n
	}
	if lines > flood/2 || refused < flood {
		t.Errorf("%d lines tell of %d refusals, not of %d", lines, refused, flood)
	}
}

// showWrongCookie connects to a session's display and is refused.
func (s *station) showWrongCookie(network, address string) {
	s.t.Helper()
	conn, err := s.Server.Dial(s.t.Context(), network, address)
	s.must(err)
	defer conn.Close()
	s.must(conn.SetDeadline(time.Now().Add(limit)))
	cookie := xauth.NewCookie()
	setup := []byte{'l', 0, 11, 0, 0, 0, byte(len(xauth.MITMagicCookie)), 0, byte(len(cookie)), 0, 0, 0}
	setup = append(setup, xauth.MITMagicCookie+"\x00\x00"...)
	_, err = conn.Write(append(setup, cookie...))
	s.must(err)
	answer, err := io.ReadAll(conn)
	if err != nil || len(answer) == 0 || answer[0] != 0 { // X11 protocol, section 8: Failed
		s.t.Fatalf("the display answers %q, %v", answer, err)
	}
}
