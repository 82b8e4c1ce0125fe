package far

import (
	"fmt"
	"strings"
	"time"

	"goldm/internal/agentwire"
	"goldm/internal/text"
)

// maxClient bounds the name of a client in a sentence, in characters.
const maxClient = 63

// Where says where and since when sessions are: " at station-07 since 09:12 and at …".
// The names are a server's word.
func Where(list []agentwire.Session) string {
	var places []string
	for _, s := range list {
		place := " at " + text.Line(s.Client, maxClient)
		if s.Client == "" {
			place = " on the server " + text.Line(s.Server, maxClient)
		}
		if !s.Began.IsZero() {
			place += " since " + clock(s.Began, time.Now())
		}
		places = append(places, place)
	}
	return strings.Join(places, " and")
}

// clock says when something began, as a clock of the server's would show it. Where that is
// another day, or one of the clocks is wrong, it says the day too.
func clock(began, now time.Time) string {
	if began.Format(time.DateOnly) == now.In(began.Location()).Format(time.DateOnly) {
		return began.Format("15:04")
	}
	return began.Format("Mon 2 January, 15:04")
}

// Unwelcome returns, after Close, a sentence where another session of the user was
// in the way of this one, or ended it; else nothing.
func (e *End) Unwelcome() string {
	switch {
	case len(e.others) > 0:
		return fmt.Sprintf("You have logged in%s meanwhile, and can have one session only. Log in again.", Where(e.others))
	case e.from != "":
		return fmt.Sprintf("Your session was ended from %s, where you logged in.", text.Line(e.from, maxClient))
	}
	return ""
}
