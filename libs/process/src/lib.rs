//! What every binary does first: options, telemetry, admin port, readiness, tasks, shutdown.
