package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// caseBound is how long one case may take: a client that waits for ever must fail its own case only.
const caseBound = 60 * time.Second

// suite runs named cases one after another, says how each ended, and counts.
type suite struct {
	only           string
	passed, failed int
}

func (s *suite) run(name string, body func(context.Context) error) {
	if !strings.Contains(name, s.only) {
		return
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), caseBound)
	defer cancel()
	err := body(ctx)
	took := time.Since(began).Milliseconds()
	if err != nil {
		s.failed++
		fmt.Printf("FAIL %s (%d ms): %v\n", name, took, err)
		return
	}
	s.passed++
	fmt.Printf("PASS %s (%d ms)\n", name, took)
}

// equal is nil, or says what differs.
func equal[T comparable](actual, expected T, what string) error {
	if actual != expected {
		return fmt.Errorf("%s: %v where %v was expected", what, actual, expected)
	}
	return nil
}

// failsWith is nil when err is the expected failure.
func failsWith(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return fmt.Errorf("%v was expected, not %v", expected, err)
}

// until waits for a condition as long as the context lives.
func until(ctx context.Context, what string, holds func() bool) error {
	for !holds() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("never: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
