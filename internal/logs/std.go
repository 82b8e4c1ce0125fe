package logs

import (
	"context"
	"log"
	"log/slog"
	"strings"
)

// Std returns a log for a package that knows only those of package log. All of its
// lines are records of one message, hence of one kind: slog.NewLogLogger would make a
// kind of each text, of which strangers choose parts.
func Std(to *slog.Logger, level slog.Level, message string) *log.Logger {
	return log.New(&lines{to, level, message}, "", 0)
}

type lines struct {
	to      *slog.Logger
	level   slog.Level
	message string
}

// Write implements io.Writer.
func (l *lines) Write(text []byte) (int, error) {
	l.to.Log(context.Background(), l.level, l.message, "text", strings.TrimSpace(string(text)))
	return len(text), nil
}
