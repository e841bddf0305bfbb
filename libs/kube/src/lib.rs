//! Kubernetes clients, label-scoped watches, server-side apply.
