//go:build tools

// Package tools pins the version of coredns that the local cluster runs.
package tools

import _ "github.com/coredns/coredns"
