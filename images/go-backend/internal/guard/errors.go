package guard

import (
	"fmt"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
)

// The rules in force stay as they were on every one of these.

func invalid(format string, arguments ...any) error {
	return grpcstatus.Errorf(codes.InvalidArgument, format, arguments...)
}

func refused(format string, arguments ...any) error {
	return grpcstatus.Errorf(codes.FailedPrecondition, format, arguments...)
}

func exhausted(format string, arguments ...any) error {
	return grpcstatus.Errorf(codes.ResourceExhausted, format, arguments...)
}

func failed(err error) error {
	return grpcstatus.Error(codes.Internal, fmt.Sprintf("the kernel refused the revision, the rules in force stay: %v", err))
}
