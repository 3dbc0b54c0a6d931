package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"triptych.dev/go-backend/internal/guard"
	"triptych.dev/go-backend/internal/xdp"
)

// reattachInterval is how soon a returned interface is found.
const reattachInterval = time.Second

// fastPath is the program with its rules, attached or not.
type fastPath struct {
	program    *xdp.Program // nil: it could not be loaded, or shall not be
	tables     *xdp.Tables
	samples    *xdp.SampleReader
	guard      *guard.Guard
	telemetry  *guard.Telemetry
	attachment *xdp.Attachment
}

// startFastPath has the rules in place before the first packet is judged.
func startFastPath(config Config) (*fastPath, error) {
	path := &fastPath{}
	var loadErr error
	if config.XDP.Mode != xdp.ModeOff {
		loadErr = path.load(config.FailSafe)
	}
	var store *guard.Store
	if config.StateFile != "" {
		store = guard.NewStore(config.StateFile)
	}
	if path.tables == nil {
		path.guard = guard.New(nil, store)
	} else {
		path.guard = guard.New(path.tables, store)
	}
	path.telemetry = guard.NewTelemetry(path.guard.RuleID)
	if err := path.guard.Restore(); err != nil {
		slog.Error("the guard starts without rules until a revision is pushed", "error", err)
	}
	attachment, err := xdp.Attach(path.program, loadErr, config.XDP)
	if err != nil {
		return nil, errors.Join(err, path.close())
	}
	path.attachment = attachment
	return path, nil
}

// load returns why there is no program; the server then only reports.
func (p *fastPath) load(failSafe xdp.FailSafe) error {
	program, err := xdp.Load(xdp.LoadOptions{FailSafe: failSafe})
	if err != nil {
		return err
	}
	samples, err := program.Samples()
	if err != nil {
		return errors.Join(err, program.Close())
	}
	p.program, p.samples, p.tables = program, samples, program.Tables()
	return nil
}

func (p *fastPath) run(ctx context.Context, group *errgroup.Group) {
	group.Go(func() error { return p.guard.Run(ctx) })
	group.Go(func() error { p.attachment.Watch(ctx, reattachInterval); return nil })
	if p.samples != nil {
		group.Go(func() error { return p.telemetry.Run(ctx, p.samples) })
	}
}

func (p *fastPath) close() error {
	var err error
	if p.attachment != nil {
		err = p.attachment.Close()
	}
	if p.program == nil {
		return err
	}
	return errors.Join(err, p.samples.Close(), p.tables.Close(), p.program.Close())
}
