//! Tests: manifests.
