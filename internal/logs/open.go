package logs

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"goldm/internal/text"
)

// Child is what ldm puts into the environment of a program of ours that it
// starts and whose words it logs: the program then writes frames.
const Child = childName + "=frames"

const childName = "GOLDM_LOG"

// maxValue bounds a message and each attribute of a line, in characters.
const maxValue = 1000

// IsChild reports whether ldm logs the words of this program.
func IsChild() bool { return os.Getenv(childName) == "frames" }

// Open returns the log of a program, which goes to w: text for people, or frames
// where ldm asked for them. The caller calls close at the program's end.
func Open(w io.Writer, level slog.Leveler) (log *slog.Logger, close func()) {
	return Limit(slog.New(NewHandler(w, level, IsChild())), Own)
}

// NewHandler returns a handler without limits that writes text or frames. One
// line is bounded, and whatever is in it cannot begin another.
func NewHandler(w io.Writer, level slog.Leveler, frames bool) slog.Handler {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: bound}
	if frames {
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}

// bound cuts long values short, whatever they are, and makes texts harmless.
func bound(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(text.Line(v.String(), maxValue))
	case slog.KindAny:
		if said := fmt.Sprintf("%+v", v.Any()); len(said) > maxValue || isError(v.Any()) {
			a.Value = slog.StringValue(text.Line(said, maxValue))
		}
	}
	return a
}

func isError(v any) bool {
	_, ok := v.(error)
	return ok
}
