-- Times are microseconds since the epoch.

CREATE TABLE applications (
    application_id TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    try_number BIGINT NOT NULL,
    submission TEXT NOT NULL,
    predecessor_id TEXT,
    state TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    end_time BIGINT,
    version BIGINT NOT NULL,
    -- Who launches it, and until when nobody else may: the end of a lease or of a pause.
    launch_holder TEXT,
    launch_not_before BIGINT NOT NULL DEFAULT 0,
    launch_failures BIGINT NOT NULL DEFAULT 0,
    UNIQUE (project, idempotency_key, try_number)
);

CREATE INDEX applications_by_state ON applications (state, application_id);
CREATE INDEX applications_by_project ON applications (project, application_id);
CREATE INDEX applications_to_launch ON applications (application_id, launch_not_before)
    WHERE state IN ('QUEUED', 'LAUNCHING', 'RETRY_WAIT');

CREATE TABLE attempts (
    application_id TEXT NOT NULL REFERENCES applications (application_id),
    number BIGINT NOT NULL,
    cluster TEXT NOT NULL,
    placement TEXT NOT NULL,
    uid TEXT,
    spark_application_id TEXT,
    create_time BIGINT NOT NULL,
    start_time BIGINT,
    end_time BIGINT,
    ending_category TEXT,
    ending_message TEXT,
    exit_category TEXT,
    exit_code BIGINT,
    exit_message TEXT,
    exit_log_tail TEXT,
    -- LIVE, RELEASE (finalizers to remove), RETAIN (kept for a while), DONE
    clean_up TEXT NOT NULL,
    clean_up_not_before BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (application_id, number)
);

CREATE INDEX attempts_to_clean_up ON attempts (cluster, clean_up_not_before)
    WHERE clean_up IN ('RELEASE', 'RETAIN');

CREATE TABLE application_events (
    sequence BIGINT NOT NULL PRIMARY KEY,
    application_id TEXT NOT NULL REFERENCES applications (application_id),
    project TEXT NOT NULL,
    state TEXT NOT NULL,
    previous_state TEXT,
    attempt_number BIGINT NOT NULL,
    time BIGINT NOT NULL,
    message TEXT NOT NULL
);

CREATE INDEX application_events_by_application ON application_events (application_id, sequence);

-- One row, updated in every transaction that writes an event: its lock makes the order of sequence
-- numbers the order of commits, so that a reader that has seen a number has seen all below it.
CREATE TABLE event_sequence (
    id BIGINT NOT NULL PRIMARY KEY,
    last_sequence BIGINT NOT NULL,
    pruned_through BIGINT NOT NULL
);
INSERT INTO event_sequence (id, last_sequence, pruned_through) VALUES (1, 0, 0);

-- Append-only.
CREATE TABLE audit_log (
    sequence BIGINT NOT NULL PRIMARY KEY,
    time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    application_id TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    expire_time BIGINT NOT NULL
);
