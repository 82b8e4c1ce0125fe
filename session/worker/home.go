package worker

import (
	"context"
	"sync"

	"goldm/ldm/wire"
	"goldm/session"
	"goldm/session/home"
)

// homes opens the user's home for ldm, as often as that asks.
type homes struct {
	worker *worker
	client *session.Client
	ctx    context.Context // done when the session is
	tasks  sync.WaitGroup

	mu   sync.Mutex
	last *home.Home // what is open; nil before the first
}

func (w *worker) newHomes(ctx context.Context, client *session.Client) *homes {
	return &homes{worker: w, client: client, ctx: ctx}
}

// need opens the home for a request of ldm's, in the background. What was open
// before is closed: ldm asks again where the mount is gone.
func (h *homes) need(m *wire.NeedHome) {
	h.tasks.Go(func() {
		h.mu.Lock() // one at a time: a server allows few channels
		defer h.mu.Unlock()
		if h.last != nil {
			h.last.Close()
		}
		log := h.worker.log
		extra := m.Extra[:min(len(m.Extra), wire.MaxFiles-1)]
		opened, err := home.Open(h.ctx, home.Config{Server: h.client, Extra: extra, Lock: home.LockBy(h.client), Log: log})
		h.last = opened
		h.tasks.Go(opened.Wait)
		answer := &wire.Home{ID: m.ID}
		for _, f := range opened.Folders {
			defer f.Socket.Close()
			answer.Paths = append(answer.Paths, f.Path)
			answer.Files = append(answer.Files, f.Socket)
		}
		if err != nil {
			log.Warn("the home is not to be had", "err", err)
			answer.Paths, answer.Files, answer.Detail = nil, nil, detail(err)
		}
		if err := h.worker.conn.Send(answer); err != nil {
			log.Warn("ldm not told of the home", "err", err)
		}
	})
}

// isOpen reports whether ldm has the home.
func (h *homes) isOpen() bool {
	if !h.mu.TryLock() { // it is on its way
		return false
	}
	defer h.mu.Unlock()
	return h.last != nil && len(h.last.Folders) > 0
}

// close ends what need began. The client has to be closed.
func (h *homes) close() {
	h.mu.Lock()
	if h.last != nil {
		h.last.Close()
	}
	h.mu.Unlock()
	h.tasks.Wait()
}
