//! Tests: control-plane.
