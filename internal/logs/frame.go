package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"

	"goldm/internal/text"
)

// MaxFrame bounds a frame, in bytes with its newline.
const MaxFrame = 32 << 10

// maxAttrs bounds the attributes of a frame.
const maxAttrs = 32

// group is what stands before the name of everything that a child has said: no
// attribute of ldm's own begins with it.
const group = "said"

// Frame is one line of a child's log.
type Frame struct {
	Level   slog.Level
	Message string
	Attrs   []slog.Attr // texts, in the child's order
}

var errFrame = errors.New("not a frame")

// levels are those that a frame may have.
var levels = map[string]slog.Level{
	"DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARN": slog.LevelWarn, "ERROR": slog.LevelError,
}

// keys are the names that attributes may have.
var keys = regexp.MustCompile(`^[A-Za-z0-9_ -]{1,40}$`)

// Parse reads a frame as slog.JSONHandler writes it. Whoever wrote it may be in
// the hands of others: any key may stand there once only, and every text is made
// harmless and bounded.
func Parse(line []byte) (Frame, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return Frame{}, errFrame
	}
	var f Frame
	seen := make(map[string]bool)
	for d.More() {
		key, value, err := member(d)
		if err != nil {
			return Frame{}, err
		}
		if seen[key] || len(seen) > maxAttrs {
			return Frame{}, errFrame
		}
		seen[key] = true
		switch key {
		case slog.TimeKey: // the reader's own clock counts
		case slog.LevelKey:
			level, ok := levels[value]
			if !ok {
				return Frame{}, errFrame
			}
			f.Level = level
		case slog.MessageKey:
			f.Message = value
		default:
			f.Attrs = append(f.Attrs, slog.String(key, value))
		}
	}
	if _, err := d.Token(); err != nil || !seen[slog.LevelKey] || !seen[slog.MessageKey] {
		return Frame{}, errFrame
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Frame{}, errFrame
	}
	return f, nil
}

// member reads a key and its value, which becomes a text.
func member(d *json.Decoder) (key, value string, err error) {
	t, err := d.Token()
	if err != nil {
		return "", "", errFrame
	}
	key, ok := t.(string)
	if !ok || !keys.MatchString(key) {
		return "", "", errFrame
	}
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return "", "", errFrame
	}
	if json.Unmarshal(raw, &value) != nil { // a number, a list, a group
		value = string(raw)
	}
	return key, text.Line(value, maxValue), nil
}

// Said is the frame as one attribute, for a record of ldm's own about the child.
func (f Frame) Said() slog.Attr {
	return slog.Attr{Key: group, Value: slog.GroupValue(append([]slog.Attr{slog.String(slog.MessageKey, f.Message)}, f.Attrs...)...)}
}

// String is the frame for a person.
func (f Frame) String() string {
	var b strings.Builder
	b.WriteString(f.Message)
	for _, a := range f.Attrs {
		fmt.Fprintf(&b, ", %s: %s", a.Key, a.Value)
	}
	return text.Line(b.String(), maxValue)
}
