//go:build !slotdebug

package slotpool

const debug = false

// guard and single check nothing in an ordinary build.
type (
	guard  struct{}
	single struct{}
)

func (guard) init(*Pool) {}
func (guard) use(Slot)   {}

func (guard) free(*Pool, Slot) {}

func (l *List) debugGet() (Slot, bool) { return l.get() }
func (l *List) debugPut(slot Slot)     { l.put(slot) }
