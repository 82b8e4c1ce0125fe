package worker

import (
	"context"
	"fmt"
	"unicode/utf8"

	"goldm/ldm/wire"
	"goldm/session/prompt"
)

// maxText bounds a text for the person, in bytes; as JSON it may be six times as
// long, and has to fit into a wire.MaxPacket.
const maxText = 8 << 10

// Ask implements prompt.Prompter. Where ldm gives no answer it is empty.
func (w *worker) Ask(ctx context.Context, q prompt.Question) (string, error) {
	kind := wire.Secret
	if q.Echo {
		kind = wire.Visible
	}
	answer, err := w.question(ctx, kind, q.Text)
	if err != nil || answer.Text == nil {
		return "", err
	}
	return *answer.Text, nil
}

// Show implements prompt.Prompter.
func (w *worker) Show(ctx context.Context, n prompt.Notice) error {
	kind := wire.Info
	if n.Error {
		kind = wire.Trouble
	}
	_, err := w.question(ctx, kind, n.Text)
	return err
}

func (w *worker) question(ctx context.Context, kind, text string) (*wire.Answer, error) {
	if err := w.conn.Send(&wire.Question{Kind: kind, Text: cut(text)}); err != nil {
		return nil, fmt.Errorf("question to ldm: %w", err)
	}
	return expect[*wire.Answer](ctx, w)
}

// cut shortens a text to maxText bytes, between two characters.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
