package x11

import (
	"sync/atomic"

	"goldm/internal/x11"
)

// The rules that a request which shares something may break.
const (
	ruleForm = "the extension's request is not on the list"

	// Toolkits attach by number first, and Mesa detaches segment 0 to learn by the
	// error whether that can work. They go on without.
	ruleNumber = "a shared segment has no number here"

	ruleLength     = "the request has another length"
	ruleSegment    = "the shared segment is not the client's"
	ruleMissing    = "the request's descriptors are missing"
	ruleDescriptor = "the descriptor is of another kind"
)

// formOf returns the form of a request that shares something.
func (p *policy) formOf(request x11.Request) (f form, ok bool) {
	if p.duties[request.Major] != share {
		return form{}, false
	}
	f, ok = p.forms[request.Major][request.Minor]
	return f, ok
}

// takes reports whether a request has descriptors beside it.
func (p *policy) takes(request x11.Request) bool {
	return p.duties[request.Major] == share && p.forms[request.Major][request.Minor].takes > 0
}

// field returns where a field of a request is, by its offset without an extended
// length. X servers take the length out before they look at fields.
func field(request x11.Request, offset int) int { return request.Head - 4 + offset }

// beginSharing is begin for a request of an extension that shares something, and
// that has no descriptors beside it.
func (r *requests) beginSharing(request x11.Request, data []byte) (head int, err error) {
	form, ok := r.policy.formOf(request)
	code, rule := byte(noCode), ""
	switch end := field(request, form.segment+4); {
	case !ok:
		code, rule = x11.BadRequest, ruleForm
	case form.code != noCode:
		code, rule = form.code, ruleNumber
	case request.Size != int64(field(request, form.size)):
		code, rule = x11.BadLength, ruleLength
	case form.segment > 0 && len(data) < end:
		return 0, nil
	case form.segment > 0 && r.order.Uint32(data[end-4:]) == 0:
		code, rule = x11.BadRequest, ruleNumber
	case form.segment > 0 && !r.ids.own(r.order.Uint32(data[end-4:])):
		code, rule = x11.BadRequest, ruleSegment
	}
	switch {
	case rule != "":
		err = r.refuseBy(request, data, code, rule)
	case form.gives > 0:
		err = r.remember(edit{gives: form.gives, major: request.Major})
	}
	if err != nil {
		return 0, err
	}
	r.sequence++
	r.body = request.Size - int64(request.Head)
	return request.Head, nil
}

// beginTaking does what edit does for a request that has descriptors beside it,
// and that data begins with. It is done with all of it at once.
func (r *requests) beginTaking(request x11.Request, data []byte) (done int, err error) {
	form, _ := r.policy.formOf(request)
	if request.Size == int64(field(request, form.size)) && int64(len(data)) < request.Size {
		return 0, nil
	}
	count, code, rule := r.examine(request, form, data)
	if rule != "" {
		return r.refuseTaking(request, data, count, code, rule)
	}
	r.goes = r.came.take(count)
	r.sequence++
	return int(request.Size), errAlone
}

// examine returns how many descriptors a request has and, where it is refused,
// why. Where their number is not certain it is that of all that may have come.
func (r *requests) examine(request x11.Request, form form, data []byte) (count int, code byte, rule string) {
	if request.Size != int64(field(request, form.size)) {
		return maxFromClient, x11.BadLength, ruleLength
	}
	count = form.takes
	if form.counted > 0 {
		count = int(data[field(request, form.counted)])
	}
	fds, ok := r.came.oldest(count)
	if count < 1 || count > form.takes || !ok {
		return maxFromClient, x11.BadRequest, ruleMissing
	}
	for _, fd := range fds {
		if !form.kind(fd) {
			return count, x11.BadRequest, ruleDescriptor
		}
	}
	return count, noCode, ""
}

// refuseTaking refuses a request and closes its descriptors, as a server does.
func (r *requests) refuseTaking(request x11.Request, data []byte, count int, code byte, rule string) (done int, err error) {
	if err := r.refuseBy(request, data, code, rule); err != nil {
		return 0, err
	}
	closeAll(r.came.take(count))
	r.sequence++
	r.body = request.Size - int64(request.Head)
	return request.Head, errAlone
}

// ids are the resource numbers that the X server gave to a client. What another
// client made has another number (section 8, resource-id-base), so a segment
// with a client's own number was attached by that client, and all clients here
// attach by descriptors.
type ids struct{ given atomic.Uint64 } // base and mask; 0 until the server has said

func (i *ids) set(base, mask uint32) { i.given.Store(uint64(base)<<32 | uint64(mask)) }

// own reports whether a number is the client's own.
func (i *ids) own(id uint32) bool {
	value := i.given.Load()
	base, mask := uint32(value>>32), uint32(value)
	return mask != 0 && id&^mask == base
}
