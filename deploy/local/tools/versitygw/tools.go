//go:build tools

// Package tools pins the version of versitygw that the local cluster runs.
package tools

import _ "github.com/versity/versitygw/cmd/versitygw"
