package guard

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protodelim"

	guardv1 "triptych.dev/go-backend/gen/guard/v1"
)

// Store keeps the current revision in a file, as the messages that would apply it.
type Store struct {
	path string
}

// NewStore uses a file in a directory that exists.
func NewStore(path string) *Store {
	return &Store{path: path}
}

const storeBatch = 1000

// save replaces the file as one step, so that a crash leaves the old revision or the new one.
func (s *Store) save(revision *Revision) (err error) {
	file, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*")
	if err != nil {
		return fmt.Errorf("store the revision: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("store the revision: %w", errors.Join(err, os.Remove(file.Name())))
		}
	}()
	writer := bufio.NewWriter(file)
	if err := errors.Join(writeRevision(writer, revision), writer.Flush(), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), s.path)
}

func writeRevision(writer io.Writer, revision *Revision) error {
	header := &guardv1.RevisionHeader{Revision: revision.Number, Policy: policyMessage(revision.Policy)}
	_, err := protodelim.MarshalTo(writer, &guardv1.ApplyRevisionRequest{Part: &guardv1.ApplyRevisionRequest_Header{Header: header}})
	batch := &guardv1.RuleBatch{}
	flush := func() {
		if err == nil && len(batch.Upserts) > 0 {
			_, err = protodelim.MarshalTo(writer, &guardv1.ApplyRevisionRequest{Part: &guardv1.ApplyRevisionRequest_Rules{Rules: batch}})
			batch.Upserts = batch.Upserts[:0]
		}
	}
	for _, rule := range revision.Rules {
		if batch.Upserts = append(batch.Upserts, ruleMessage(rule)); len(batch.Upserts) == storeBatch {
			flush()
		}
	}
	flush()
	return err
}

// load reads the revision; nil where none was stored.
func (s *Store) load() (*Change, error) {
	file, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the stored revision: %w", err)
	}
	defer file.Close()
	reader, builder := bufio.NewReader(file), &changeBuilder{}
	for {
		message := &guardv1.ApplyRevisionRequest{}
		err := protodelim.UnmarshalFrom(reader, message)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = builder.add(message)
		}
		if err != nil {
			return nil, fmt.Errorf("read the stored revision %s: %w", s.path, err)
		}
	}
	return builder.change, nil
}
