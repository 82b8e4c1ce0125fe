package pulse

import (
	"context"
	"time"
)

// Listen expects the next sign of life within due, and after each the next within the time that it
// names. It returns nil at the end of ctx or of beats, and ErrHung where two in a row are missing: the
// first counts as missing after half as much time again, since nobody is punctual.
func Listen(ctx context.Context, due time.Duration, beats <-chan time.Duration) error {
	timer := time.NewTimer(due + due/2)
	defer timer.Stop()
	for misses := 0; ; {
		select {
		case next, ok := <-beats:
			if !ok {
				return nil
			}
			due, misses = next, 0
			timer.Reset(due + due/2)
		case <-timer.C:
			if misses++; misses == maxMisses {
				return ErrHung
			}
			timer.Reset(due)
		case <-ctx.Done():
			return nil
		}
	}
}
