package info

import (
	"fmt"
	"strings"
)

// maxText is what an LTSP 5 client reads at most, in bytes.
const maxText = 16 << 10

// Text writes what LTSP 5's ldminfod did, for clients of that time: languages, the
// server's own first; sessions by their commands, and again with their names; the
// session script; and the rating. Languages and then sessions that would make it too
// long for such a client are left out, since the rating comes last.
func (i Info) Text() []byte {
	end := fmt.Sprintf("rating:%d\n", RateLTSP5(i.Info))
	if i.XSession != "" {
		end = "xsession:" + i.XSession + "\n" + end
	}
	var sessions, named strings.Builder
	for _, s := range i.Sessions {
		command := strings.Join(s.Exec, " ")
		one := "session:" + command + "\n"
		// A client takes the name up to the next colon.
		two := "session-with-name:" + strings.ReplaceAll(s.Name, ":", " ") + ":" + command + "\n"
		if sessions.Len()+named.Len()+len(one)+len(two)+len(end) <= maxText/2 {
			sessions.WriteString(one)
			named.WriteString(two)
		}
	}
	var text strings.Builder
	for _, language := range i.Languages {
		line := "language:" + language + "\n"
		if text.Len()+len(line)+sessions.Len()+named.Len()+len(end) <= maxText {
			text.WriteString(line)
		}
	}
	text.WriteString(sessions.String())
	text.WriteString(named.String())
	text.WriteString(end)
	return []byte(text.String())
}
