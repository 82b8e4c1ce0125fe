// Package whole reads what has a bound: all of it, or nothing. What is cut off would pass for the whole.
package whole

import (
	"fmt"
	"io"
)

// Read reads to the end. It is an error where there are more bytes than most.
func Read(r io.Reader, most int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > most {
		return nil, fmt.Errorf("over %d bytes", most)
	}
	return content, nil
}
