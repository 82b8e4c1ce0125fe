package xproxy

import (
	"bufio"
	"context"
	"errors"
	"io"

	"goldm/internal/x11"
)

// Events that tell of changes (appendix B, and the specifications of extensions).
const (
	configureNotify = 22
	propertyNotify  = 28
	mappingNotify   = 34
)

// watchedSelections are those whose owners toolkits ask for at a program's start.
var watchedSelections = []string{"_XSETTINGS_S0", "_NET_WM_CM_S0", "_NET_SYSTEM_TRAY_S0", "CLIPBOARD_MANAGER"}

// errMasters ends telling of changes: each program may have another core keyboard then, and nobody is told which.
var errMasters = errors.New("there are several core keyboards")

// hearing is what a watch knows of its X server.
type hearing struct {
	out    io.Writer
	in     *bufio.Reader
	roots  map[uint32]bool
	events map[byte]func([]byte) topic // by code
	xi     byte                        // major opcode, as in GenericEvent
	tells  []topic

	inquiries []inquiry // that programs ask at their start
}

// run connects to the X server and hears, until ctx is done or the X server goes.
func (w *watch) run(ctx context.Context, config NearConfig, wake func()) error {
	conn, err := config.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	h := &hearing{out: conn, in: bufio.NewReaderSize(conn, 4<<10), events: make(map[byte]func([]byte) topic)}
	if err := h.begin(config); err != nil {
		return err
	}
	w.begin(h, wake)
	defer w.close()
	for {
		message, err := readMessage(h.in)
		if err != nil {
			return err
		}
		if h.addsMaster(message) {
			return errMasters
		}
		w.mu.Lock()
		switch x11.Kind(message) {
		case x11.Reply:
			w.answered(message)
		case x11.Error: // what was asked for at the beginning is over
			w.answered(nil)
		default:
			h.hear(message, w.note)
		}
		w.mu.Unlock()
	}
}

// begin begins telling.
func (w *watch) begin(h *hearing, wake func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	for _, t := range h.tells {
		w.said = word{opWatching, t}.append(w.said)
	}
	w.wake = wake
	w.ask = func(requests []byte) error {
		_, err := h.out.Write(requests)
		return err
	}
	w.inquiries.all = append(h.inquiries, inputFocus())
	w.inquiries.partly = true
	w.question(false)
}

// hear tells what an event is about.
func (h *hearing) hear(event []byte, note func(topic)) {
	code := x11.Kind(event)
	switch {
	case code == x11.GenericEvent && event[1] == h.xi:
		note(topic{kind: devices})
		note(topic{kind: keys}) // of another keyboard, maybe
	case code == configureNotify:
		note(topic{kind: screens})
	case code == mappingNotify:
		note(topic{kind: keys})
	case code == propertyNotify:
		note(topic{properties, scoutOrder.Uint32(event[4:]), scoutOrder.Uint32(event[8:])})
	case h.events[code] != nil:
		note(h.events[code](event))
	}
}

// addsMaster reports whether an event tells of another pointer and keyboard (XI2proto, HierarchyChanged).
func (h *hearing) addsMaster(event []byte) bool {
	const hierarchyChanged, masterAdded = 11, 1
	return x11.Kind(event) == x11.GenericEvent && event[1] == h.xi &&
		scoutOrder.Uint16(event[8:]) == hierarchyChanged && scoutOrder.Uint32(event[16:])&masterAdded != 0
}

// begin sets the connection up and asks for events.
func (h *hearing) begin(config NearConfig) error {
	setup := x11.SetupRequest{
		Order: scoutOrder, Major: x11.ProtocolMajor, Minor: x11.ProtocolMinor, AuthName: config.AuthName, AuthData: config.AuthData,
	}
	if _, err := h.out.Write(setup.Append(nil)); err != nil {
		return err
	}
	answer, err := readSetup(h.in)
	if err != nil {
		return err
	}
	_, h.roots = parseScreens(answer)
	steps := []func() error{h.watchRoots, h.watchScreens, h.watchKeys, h.watchDevices, h.watchSelections, h.countMasters}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// ask asks for a reply.
func (h *hearing) ask(request []byte) ([]byte, error) {
	if _, err := h.out.Write(request); err != nil {
		return nil, err
	}
	return readReply(h.in)
}

// do sends requests without replies, and makes sure that they went well.
func (h *hearing) do(requests []byte) error {
	_, err := h.ask(x11.AppendRequest(requests, scoutOrder, getInputFocus, 0))
	return err
}

// extension asks for one; ok is false where there is none.
func (h *hearing) extension(name string) (e x11.ExtensionReply, ok bool, err error) {
	reply, err := h.ask(x11.AppendQueryExtension(nil, scoutOrder, name))
	if err != nil {
		return e, false, err
	}
	e = x11.ParseExtensionReply(reply)
	return e, e.Present && e.Major >= x11.FirstExtension, nil
}

// watchRoots hears of properties, and of the size that comes with monitors that somebody has set (randrproto,
// RRSetMonitor).
func (h *hearing) watchRoots() error {
	const propertyChange, structureNotify = 1 << 22, 1 << 17
	var requests []byte
	for root := range h.roots {
		requests = append(requests, appendUnits(nil, changeWindowAttributes, 0, root, eventMaskOnly, propertyChange|structureNotify)...)
		h.tells = append(h.tells, topic{kind: properties, a: root})
		h.appendInquiry(topic{kind: pointers, a: root}, appendUnits(nil, queryPointer, 0, root))
		h.appendInquiry(topic{kind: attributes, a: root}, appendUnits(nil, getWindowAttributes, 0, root))
	}
	return h.do(requests)
}

func (h *hearing) watchScreens() error {
	e, ok, err := h.extension("RANDR")
	if !ok || err != nil {
		return err
	}
	if _, err := h.ask(appendUnits(nil, e.Major, 0, 1, 6)); err != nil {
		return err
	}
	const all = 0xff // RRSelectInput
	var requests []byte
	for root := range h.roots {
		requests = append(requests, appendUnits(nil, e.Major, 4, root, all)...)
		h.appendInquiry(topic{kind: modes, a: root}, appendUnits(nil, e.Major, randrGetScreenResourcesCurrent, root))
	}
	screen := func([]byte) topic { return topic{kind: screens} }
	h.events[e.FirstEvent], h.events[e.FirstEvent+1] = screen, screen
	h.tells = append(h.tells, topic{kind: screens})
	return h.do(requests)
}

func (h *hearing) watchKeys() error {
	e, ok, err := h.extension(xkeyboard)
	if !ok || err != nil {
		return err
	}
	if _, err := h.ask(appendUnits(nil, e.Major, 0, 1)); err != nil {
		return err
	}
	getState := appendUnits(nil, e.Major, xkbGetState, coreKeyboard)
	state, err := h.ask(getState)
	if err != nil {
		return err
	}
	h.appendInquiry(topic{kind: states}, getState)
	// All but StateNotify, IndicatorStateNotify, BellNotify, ActionMessage and AccessXNotify.
	const events, allMaps = 0x8eb, 0xff
	h.events[e.FirstEvent] = func([]byte) topic { return topic{kind: keys} }
	h.tells = append(h.tells, topic{kind: keys, a: uint32(state[1])})
	return h.do(appendUnits(nil, e.Major, 1, coreKeyboard|events<<16, events<<16, allMaps|allMaps<<16))
}

func (h *hearing) watchDevices() error {
	e, ok, err := h.extension("XInputExtension")
	if !ok || err != nil {
		return err
	}
	if _, err := h.ask(appendUnits(nil, e.Major, 47, 2|4<<16)); err != nil { // see fitsVersion
		return err
	}
	// XISelectEvents for all devices: DeviceChanged, HierarchyChanged, PropertyEvent.
	const one, mask = 1, 1<<1 | 1<<11 | 1<<12
	var requests []byte
	for root := range h.roots {
		requests = append(requests, appendUnits(nil, e.Major, 46, root, one, 0|one<<16, mask)...)
	}
	for _, device := range []uint32{allMasterDevices, allDevices} { // the longer reply comes later
		h.appendInquiry(topic{kind: deviceLists, a: device}, appendUnits(nil, e.Major, xiQueryDevice, device))
	}
	h.xi = e.Major
	h.tells = append(h.tells, topic{kind: devices})
	return h.do(requests)
}

func (h *hearing) watchSelections() error {
	e, ok, err := h.extension("XFIXES")
	if !ok || err != nil {
		return err
	}
	if _, err := h.ask(appendUnits(nil, e.Major, 0, 5, 0)); err != nil {
		return err
	}
	var requests []byte
	for _, name := range watchedSelections {
		intern := x11.AppendQueryExtension(nil, scoutOrder, name) // which looks alike
		intern[0] = internAtom
		reply, err := h.ask(intern)
		if err != nil {
			return err
		}
		atom := scoutOrder.Uint32(reply[8:])
		const all = 7 // SetSelectionOwner, SelectionWindowDestroy, SelectionClientClose
		for root := range h.roots {
			requests = append(requests, appendUnits(nil, e.Major, 2, root, atom, all)...)
		}
		h.tells = append(h.tells, topic{kind: selections, b: atom})
	}
	h.events[e.FirstEvent] = func(event []byte) topic { return topic{kind: selections, b: scoutOrder.Uint32(event[12:])} }
	return h.do(requests)
}

// countMasters comes last: events before it are not heard.
func (h *hearing) countMasters() error {
	if h.xi == 0 {
		return nil
	}
	reply, err := h.ask(appendUnits(nil, h.xi, xiQueryDevice, allMasterDevices))
	if err == nil && scoutOrder.Uint16(reply[8:]) > 2 { // a pointer and a keyboard
		err = errMasters
	}
	return err
}
