-- One row for each attempt that submission tells of, and what its event log says.
CREATE TABLE history_attempts (
    application_id TEXT COLLATE "C" NOT NULL,
    attempt_number BIGINT NOT NULL,
    -- As submission knows it; empty until there is a driver.
    spark_application_id TEXT COLLATE "C" NOT NULL,
    -- Version of submission's record, so that a late repetition changes nothing.
    submission_version BIGINT NOT NULL,
    -- When submission saw the attempt end, microseconds since the epoch.
    ended_at BIGINT,
    -- waiting, indexing, settled, refused
    log_state TEXT NOT NULL,
    -- Why the log is refused.
    log_problem TEXT NOT NULL,
    -- Whether the log names the application, so that there is something to show.
    is_listed BIGINT NOT NULL,
    is_completed BIGINT NOT NULL,
    is_incomplete BIGINT NOT NULL,
    -- Milliseconds since the epoch, in the application's own words; -1 for unknown.
    start_time BIGINT NOT NULL,
    end_time BIGINT NOT NULL,
    -- When the newest chunk was written, milliseconds since the epoch.
    last_updated BIGINT NOT NULL,
    event_count BIGINT NOT NULL,
    event_bytes BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (application_id, attempt_number)
);
CREATE INDEX history_attempts_by_spark_id ON history_attempts (spark_application_id);
CREATE INDEX history_attempts_by_end ON history_attempts (is_listed, end_time, spark_application_id);
CREATE INDEX history_attempts_to_read ON history_attempts (log_state, application_id, attempt_number);

-- Documents are what the REST API answers.
CREATE TABLE history_jobs (
    application_id TEXT COLLATE "C" NOT NULL,
    attempt_number BIGINT NOT NULL,
    job_id BIGINT NOT NULL,
    status TEXT NOT NULL,
    failure TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (application_id, attempt_number, job_id)
);

CREATE TABLE history_stages (
    application_id TEXT COLLATE "C" NOT NULL,
    attempt_number BIGINT NOT NULL,
    stage_id BIGINT NOT NULL,
    stage_attempt BIGINT NOT NULL,
    status TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (application_id, attempt_number, stage_id, stage_attempt)
);

CREATE TABLE history_executors (
    application_id TEXT COLLATE "C" NOT NULL,
    attempt_number BIGINT NOT NULL,
    executor_id TEXT COLLATE "C" NOT NULL,
    is_active BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (application_id, attempt_number, executor_id)
);

-- Where the watch of submission goes on; one row.
CREATE TABLE history_submission_watch (
    id BIGINT NOT NULL PRIMARY KEY,
    cursor TEXT NOT NULL
);
