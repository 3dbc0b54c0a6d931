//go:build slotdebug

package slotpool

import (
	"fmt"
	"strings"
	"testing"
)

func TestMisuseIsCaught(t *testing.T) {
	tests := map[string]func(*Pool, Slot){
		"freed twice":          func(pool *Pool, slot Slot) { pool.List(0).Put(slot); pool.List(1).Put(slot) },
		"which is free":        func(pool *Pool, slot Slot) { pool.List(0).Put(slot); pool.Bytes(slot) },
		"used by two":          func(pool *Pool, slot Slot) { pool.List(0).single.enter(); pool.List(0).Put(slot) },
		"written after it was": func(pool *Pool, slot Slot) { writeAfterFree(pool, slot) },
	}
	for want, misuse := range tests {
		t.Run(want, func(t *testing.T) {
			pool := newPool(t, Options{Slots: 4, SlotBytes: 64, Lists: 2, Node: AnyNode})
			slot, _ := pool.List(0).Get()
			defer func() {
				if cause := fmt.Sprint(recover()); !strings.Contains(cause, want) {
					t.Errorf("panic %q, want %q", cause, want)
				}
			}()
			misuse(pool, slot)
		})
	}
}

func writeAfterFree(pool *Pool, slot Slot) {
	kept := pool.Bytes(slot)
	pool.List(0).Put(slot)
	kept[9] = 1
	pool.List(0).Get()
}
