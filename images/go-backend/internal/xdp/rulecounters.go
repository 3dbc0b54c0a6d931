package xdp

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
)

// chunk is the map that holds a range of rule counters, made at its first use.
func (t *Tables) chunk(index uint32) (*ebpf.Map, error) {
	if chunk := t.chunks[index]; chunk != nil {
		return chunk, nil
	}
	chunk, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "rule_counters", Type: ebpf.PerCPUArray, KeySize: 4,
		ValueSize: uint32(unsafe.Sizeof(RuleCounter{})), MaxEntries: counterChunk,
	})
	if err != nil {
		return nil, fmt.Errorf("make rule counters: %w", err)
	}
	if err := t.objects.RuleCounters.Put(index, chunk); err != nil {
		return nil, errors.Join(fmt.Errorf("install rule counters: %w", err), chunk.Close())
	}
	t.chunks[index] = chunk
	return chunk, nil
}

// ClearRuleCounter makes a rule's counter exist and be zero; no entry may refer to it yet.
func (t *Tables) ClearRuleCounter(counter uint32) error {
	chunk, err := t.chunk(counter / counterChunk)
	if err != nil {
		return err
	}
	zeros := make([]RuleCounter, ebpf.MustPossibleCPU())
	if err := chunk.Put(counter%counterChunk, zeros); err != nil {
		return fmt.Errorf("clear rule counter %d: %w", counter, err)
	}
	return nil
}

// PrepareRuleCounter makes a rule's counter exist; one that was never used is zero.
func (t *Tables) PrepareRuleCounter(counter uint32) error {
	_, err := t.chunk(counter / counterChunk)
	return err
}

// RuleCounter is what matched a rule, summed over CPUs.
func (t *Tables) RuleCounter(counter uint32) (RuleCounter, error) {
	var sum RuleCounter
	chunk, err := t.chunk(counter / counterChunk)
	if err != nil {
		return sum, err
	}
	var perCPU []RuleCounter
	if err := chunk.Lookup(counter%counterChunk, &perCPU); err != nil {
		return sum, fmt.Errorf("read rule counter %d: %w", counter, err)
	}
	for _, part := range perCPU {
		sum.Packets += part.Packets
		sum.Bytes += part.Bytes
		sum.OverLimit += part.OverLimit
	}
	return sum, nil
}

// Close gives the tables up; the program keeps them.
func (t *Tables) Close() error {
	var err error
	for _, chunk := range t.chunks {
		err = errors.Join(err, chunk.Close())
	}
	return err
}
