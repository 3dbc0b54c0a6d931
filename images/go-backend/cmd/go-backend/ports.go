package main

import (
	"fmt"
	"strconv"
	"strings"
)

// ports is a flag with a list of UDP ports, for example 514,2055.
type ports []uint16

func (p *ports) Set(text string) error {
	*p = nil
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		port, err := strconv.ParseUint(word, 10, 16)
		if err != nil || port == 0 {
			return fmt.Errorf("%q is no port: use numbers from 1 to 65535", word)
		}
		*p = append(*p, uint16(port))
	}
	return nil
}

func (p *ports) String() string {
	words := make([]string, len(*p))
	for i, port := range *p {
		words[i] = strconv.Itoa(int(port))
	}
	return strings.Join(words, ",")
}

func (p *ports) Type() string { return "ports" }
