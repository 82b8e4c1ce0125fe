package wrap

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"goldm/internal/agentwire"
	"goldm/server-agent/menu"
)

// DefaultMenuWait is how long a desktop waits for the menu of its client's programs.
// Menus are read when a desktop starts, so what comes later is not seen.
const DefaultMenuWait = 5 * time.Second

// takeMenu takes the menu that the client has announced. The session goes on
// without, where there is none in time.
func (s *session) takeMenu(ctx context.Context, env []string) *menu.Menu {
	if s.cfg.MenuWait == 0 {
		return nil
	}
	packed, err := s.receiveMenu(ctx)
	if err == nil && s.folder.Path == "" {
		err = errors.New("the session has no folder")
	}
	var taken *menu.Menu
	if err == nil {
		taken, err = menu.Write(filepath.Join(s.folder.Path, "menu"), packed, env)
	}
	if err != nil {
		s.warn("the client's programs are not in the menus: %v", err)
	}
	if err := taken.Settle(s.folder.Runtime); err != nil {
		s.log.Info("the menu has a name of this session's only", "err", err)
	}
	return taken
}

// receiveMenu reads messages until the menu is whole.
func (s *session) receiveMenu(ctx context.Context) ([]byte, error) {
	var inbox menu.Inbox
	late := time.NewTimer(s.cfg.MenuWait)
	defer late.Stop()
	for {
		select {
		case m := <-s.messages:
			switch m := m.(type) {
			case *agentwire.Menu:
				inbox.Add(m.Data)
			case *agentwire.MenuEnd:
				return inbox.Packed()
			default:
				if s.reason = s.heard(m); s.reason != "" {
					return nil, errors.New(s.reason)
				}
			}
		case <-late.C:
			return nil, errors.New("the client did not send them in time")
		case <-s.client.broken:
			return nil, errors.New("the client cannot be written to")
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
