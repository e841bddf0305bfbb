//go:build tools

// Package tools pins the version of grpcurl that the local cluster runs.
package tools

import _ "github.com/fullstorydev/grpcurl/cmd/grpcurl"
