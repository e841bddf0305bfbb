//! Sidecar that bridges Prometheus endpoints to a TSDB agent.
