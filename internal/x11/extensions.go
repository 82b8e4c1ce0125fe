package x11

// MaxExtensionList bounds the size in bytes of a reply to ListExtensions: at
// most 255 names of at most 255 bytes.
const MaxExtensionList = AnswerHead + 255*256

// FilterExtensionList takes the names that keep refuses out of reply, a whole
// reply to ListExtensions, and returns what is left of it, in the same memory.
// ok is false, and reply as it was, when it is not such a reply.
func FilterExtensionList(o Order, reply []byte, keep func(name string) bool) (short []byte, ok bool) {
	names, ok := extensionNames(reply)
	if !ok {
		return reply, false
	}
	count := 0
	short = reply[:AnswerHead]
	for range int(reply[1]) {
		size := 1 + int(names[0])
		if keep(string(names[1:size])) {
			short = append(short, names[:size]...) // never past what was read
			count++
		}
		names = names[size:]
	}
	for len(short)%4 != 0 {
		short = append(short, 0)
	}
	short[1] = byte(count)
	o.PutUint32(short[4:], uint32(len(short)-AnswerHead)/4)
	return short, true
}

// extensionNames returns a reply's list of names, each a length byte and that
// many bytes (appendix B, LISTofSTR), if the reply is exactly that and padding.
func extensionNames(reply []byte) (names []byte, ok bool) {
	if len(reply) < AnswerHead || len(reply) > MaxExtensionList || Kind(reply) != Reply {
		return nil, false
	}
	names = reply[AnswerHead:]
	end := 0
	for range int(reply[1]) {
		if end >= len(names) {
			return nil, false
		}
		end += 1 + int(names[end])
	}
	return names, end <= len(names) && Pad(end) == len(names)
}

// BigReqEnable is the minor opcode of the one request of BIG-REQUESTS.
const BigReqEnable = 0

// MaxBigRequest returns the size in bytes of the longest request that a server
// takes, from its reply to BigReqEnable, of AnswerHead bytes.
func MaxBigRequest(o Order, reply []byte) int64 { return 4 * int64(o.Uint32(reply[8:])) }
