//! Tests: mesh.
