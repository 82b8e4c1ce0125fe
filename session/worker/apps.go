package worker

import (
	"context"
	"fmt"
	"sync"

	"goldm/internal/x11/display"
	"goldm/internal/xauth"
	"goldm/ldm/wire"
	"goldm/localapps"
)

// mailboxVariable tells the session on the server which window takes requests for
// programs of the client; there it becomes localapps.Variable, with the display.
const mailboxVariable = "LTSP_LOCALAPPS_WINDOW"

// maxRuns bounds the requests that ldm has. It has a lower bound of its own, and says so.
const maxRuns = 512

// apps passes the session's requests for programs of the client on to ldm, which decides.
type apps struct {
	worker  *worker
	on      bool // the session may run something on the client
	mailbox *localapps.Mailbox
	serving sync.WaitGroup
	stop    context.CancelFunc

	mu   sync.Mutex
	runs map[uint32]func(localapps.State) // what ldm has not reported the end of
}

// startApps opens the mailbox on the session's display; it is nil where that cannot be, and
// the session goes on without. One that runs nothing on the client has a mailbox too:
// for an answer, and for what is to come at the end.
func (w *worker) startApps(ctx context.Context, login string, screen *wire.Screen, on bool) *apps {
	a, err := w.openApps(ctx, login, screen, on)
	if err != nil {
		w.log.Warn("no local applications", "err", err)
		return nil
	}
	return a
}

func (w *worker) openApps(ctx context.Context, login string, screen *wire.Screen, on bool) (*apps, error) {
	d, err := display.Parse(screen.Display)
	if err != nil {
		return nil, err
	}
	d.AuthName, d.AuthData = xauth.MITMagicCookie, screen.Cookie
	mailbox, err := localapps.Open(ctx, localapps.Config{
		Display: d,
		Holder:  "the login " + login,
		Legacy:  true,
		Log:     w.log,
	})
	if err != nil {
		return nil, err
	}
	a := &apps{worker: w, on: on, mailbox: mailbox, runs: make(map[uint32]func(localapps.State))}
	ctx, a.stop = context.WithCancel(ctx)
	a.serving.Go(func() {
		if err := mailbox.Serve(ctx, a); err != nil {
			w.log.Warn("no more local applications", "err", err)
		}
	})
	return a, nil
}

// env is for the session on the server.
func (a *apps) env() map[string]string {
	if a == nil || !a.on {
		return nil
	}
	return map[string]string{mailboxVariable: fmt.Sprintf("%#x", a.mailbox.Window())}
}

// handler is for what ldm says of requests; nil where nobody can make any.
func (a *apps) handler() func(*wire.Ran) {
	if a == nil {
		return nil
	}
	return a.ran
}

// close ends the service. What runs is ldm's to end.
func (a *apps) close() {
	if a == nil {
		return
	}
	a.stop()
	a.mailbox.Close()
	a.serving.Wait()
}

// Run implements localapps.Runner.
func (a *apps) Run(_ context.Context, r localapps.Request, report func(localapps.State)) {
	if !a.on {
		report(localapps.State{Name: localapps.Denied, Reason: "This client runs no programs for its sessions."})
		return
	}
	if !a.enter(r.ID, report) {
		report(localapps.State{Name: localapps.Failed, Reason: "Too many programs run on this client. End some of them and try again."})
		return
	}
	err := a.worker.conn.Send(&wire.Run{ID: r.ID, Args: r.Args, Dir: r.Dir, Startup: r.Startup})
	if err != nil {
		a.worker.log.Warn("request not passed on", "err", err)
		a.ran(&wire.Ran{ID: r.ID, State: wire.Faulty, Reason: "The client could not take the request."})
	}
}

func (a *apps) enter(id uint32, report func(localapps.State)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.runs) == maxRuns {
		return false
	}
	a.runs[id] = report
	return true
}

// states translates what ldm says.
var states = map[string]string{
	wire.Denied:   localapps.Denied,
	wire.NotFound: localapps.NotFound,
	wire.Faulty:   localapps.Failed,
	wire.Running:  localapps.Started,
	wire.Exited:   localapps.Exited,
}

// ran passes on what became of a request.
func (a *apps) ran(m *wire.Ran) {
	report := a.reporter(m)
	state, ok := states[m.State]
	if report == nil || !ok {
		a.worker.log.Warn("word of a request that nobody made", "id", m.ID, "state", m.State)
		return
	}
	report(localapps.State{Name: state, PID: m.PID, Status: m.Status, Reason: m.Reason})
}

// reporter finds who is to hear of a request, nil for nobody, and forgets it at its end.
func (a *apps) reporter(m *wire.Ran) func(localapps.State) {
	a.mu.Lock()
	defer a.mu.Unlock()
	report := a.runs[m.ID]
	if m.State != wire.Running {
		delete(a.runs, m.ID)
	}
	return report
}

// tellLogoutAction passes on what the session wants to come after it. Where ctx has ended
// nobody listens.
func (a *apps) tellLogoutAction(ctx context.Context) {
	if a == nil || ctx.Err() != nil {
		return
	}
	actions := map[string]string{localapps.Halt: wire.Halt, localapps.Reboot: wire.Reboot}
	action := actions[a.mailbox.LogoutAction()]
	if action == "" {
		return
	}
	if err := a.worker.conn.Send(&wire.LogoutAction{Action: action}); err != nil {
		a.worker.log.Warn("logout action not passed on", "action", action, "err", err)
	}
}
