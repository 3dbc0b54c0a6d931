package xdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"

	"github.com/cilium/ebpf"
)

// Sizes and constants of the prefilter, as in bpf/prefilter.h.
const (
	// PrefilterLengths is how many lengths of one family's prefixes, beside 0, the prefilter takes.
	PrefilterLengths = 32

	prefilterBits    = 24
	answerBucketBits = 17
	answersPerBucket = 2
	answerBytes      = 32
	mix              = 0x9e3779b97f4a7c15
	mixLower         = 0xd6e8feb86659fd93
)

// Where an answer's fields begin.
const (
	answerSalt      = 16
	answerReference = 24
)

// prefilter is what one generation needs to find most references without a walk through the prefixes.
type prefilter struct {
	bits      []byte // one for each hash
	answers   []byte // buckets
	used      [2][129]bool
	elsewhere [2]Reference // what the prefixes of length 0 say
}

// WritePrefilter says what applies to which prefixes in a generation that is not the current one.
func (t *Tables) WritePrefilter(generation uint32, references iter.Seq2[netip.Prefix, Reference]) error {
	made := prefilter{
		bits:    make([]byte, 1<<prefilterBits/8),
		answers: make([]byte, answersPerBucket*answerBytes<<answerBucketBits),
	}
	for prefix, reference := range references {
		made.add(prefix, reference)
	}
	half := generation % 2
	err := errors.Join(
		writeHalf(t.objects.Prefilter, half, made.bits),
		writeHalf(t.objects.PrefilterAnswers, half, made.answers),
	)
	for family := range made.used {
		err = errors.Join(err, t.writeSteps(half*2+uint32(family), made.steps(family)))
	}
	if err != nil {
		return fmt.Errorf("write the prefilter: %w", err)
	}
	return nil
}

func writeHalf(table *ebpf.Map, half uint32, content []byte) error {
	memory, err := table.Memory()
	if err != nil {
		return err
	}
	_, err = memory.WriteAt(content, int64(half)*int64(len(content)))
	return err
}

func (t *Tables) writeSteps(list uint32, steps []guardPrefilterStep) error {
	keys := make([]uint32, len(steps))
	for i := range keys {
		keys[i] = list*(PrefilterLengths+1) + uint32(i)
	}
	_, err := t.objects.PrefilterSteps.BatchUpdate(keys, steps, nil)
	return err
}

func (p *prefilter) add(prefix netip.Prefix, reference Reference) {
	family, length := familyOf(prefix), prefix.Bits()
	if length == 0 {
		p.elsewhere[family] = reference
		return
	}
	p.used[family][length] = true
	source, salt := sourceWords(prefix.Addr()), prefilterSalt(family, length)
	hash := (source[0] ^ source[1]*mixLower ^ salt) * mix
	p.setBit(hash >> (64 - prefilterBits))
	hash = (hash ^ hash>>32) * mixLower
	first, second := hash>>(64-answerBucketBits), uint64(uint32(hash)>>(32-answerBucketBits))
	for _, bucket := range []uint64{first, second} {
		if p.addAnswer(bucket, source, salt, reference) {
			return
		}
	}
}

// setBit sets a bit of the words of 64 that the kernel reads.
func (p *prefilter) setBit(bit uint64) {
	word := p.bits[bit/64*8:]
	binary.NativeEndian.PutUint64(word, binary.NativeEndian.Uint64(word)|1<<(bit%64))
}

// addAnswer returns false where the bucket is full.
func (p *prefilter) addAnswer(bucket uint64, source [2]uint64, salt uint64, reference Reference) bool {
	for slot := range uint64(answersPerBucket) {
		answer := p.answers[(bucket*answersPerBucket+slot)*answerBytes:]
		if binary.NativeEndian.Uint64(answer[answerSalt:]) != 0 {
			continue
		}
		binary.NativeEndian.PutUint64(answer, source[0])
		binary.NativeEndian.PutUint64(answer[8:], source[1])
		binary.NativeEndian.PutUint64(answer[answerSalt:], salt)
		binary.NativeEndian.PutUint64(answer[answerReference:], uint64(reference))
		return true
	}
	return false
}

// steps are one family's, longest first, up to the end. With more lengths than fit all sources go the long way.
func (p *prefilter) steps(family int) []guardPrefilterStep {
	var steps []guardPrefilterStep
	for length := len(p.used[family]) - 1; length > 0; length-- {
		if !p.used[family][length] {
			continue
		}
		var mask [16]byte
		for i := range length {
			mask[i/8] |= 0x80 >> (i % 8)
		}
		steps = append(steps, guardPrefilterStep{
			Action: uint32(guardPrefilterActionPREFILTER_PROBE), Salt: prefilterSalt(family, length),
			Mask: [2]uint64{binary.NativeEndian.Uint64(mask[:]), binary.NativeEndian.Uint64(mask[8:])},
		})
	}
	if len(steps) > PrefilterLengths {
		return []guardPrefilterStep{{Action: uint32(guardPrefilterActionPREFILTER_WALK)}}
	}
	return append(steps, guardPrefilterStep{
		Action: uint32(guardPrefilterActionPREFILTER_END), Reference: uint32(p.elsewhere[family]),
	})
}

func familyOf(prefix netip.Prefix) int {
	if prefix.Addr().Is4() {
		return 0
	}
	return 1
}

// sourceWords are an address as the program has it.
func sourceWords(address netip.Addr) [2]uint64 {
	var bytes [16]byte
	copy(bytes[:], address.AsSlice())
	return [2]uint64{binary.NativeEndian.Uint64(bytes[:]), binary.NativeEndian.Uint64(bytes[8:])}
}

// prefilterSalt keeps a prefix apart from shorter ones that begin at the same address, and from the other family's. It is
// not 0, and different for each of them.
func prefilterSalt(family, length int) uint64 {
	return uint64(length<<1|family) * mixLower
}
