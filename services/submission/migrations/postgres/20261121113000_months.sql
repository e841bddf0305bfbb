-- Events and audit rows by month, so that what is too old goes as whole tables. Rows of earlier
-- releases stay where they are, in a partition that ends with the month of this migration; those
-- releases may go on writing and deleting under the same names.
ALTER TABLE application_events DROP CONSTRAINT application_events_application_id_fkey;
ALTER TABLE application_events DROP CONSTRAINT application_events_pkey;
ALTER TABLE application_events RENAME TO application_events_before;
ALTER INDEX application_events_by_application RENAME TO application_events_before_by_application;
CREATE TABLE application_events (
    sequence BIGINT NOT NULL,
    application_id TEXT NOT NULL,
    project TEXT NOT NULL,
    state TEXT NOT NULL,
    previous_state TEXT,
    attempt_number BIGINT NOT NULL,
    time BIGINT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (sequence, time)
) PARTITION BY RANGE (time);
CREATE INDEX application_events_by_application ON application_events (application_id, sequence);
CREATE TABLE application_events_default PARTITION OF application_events DEFAULT;

ALTER TABLE audit_log DROP CONSTRAINT audit_log_pkey;
ALTER TABLE audit_log RENAME TO audit_log_before;
CREATE TABLE audit_log (
    sequence BIGINT NOT NULL,
    time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    application_id TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (sequence, time)
) PARTITION BY RANGE (time);
CREATE TABLE audit_log_default PARTITION OF audit_log DEFAULT;

DO $$
DECLARE
    family TEXT;
    latest BIGINT;
    month TIMESTAMP;
BEGIN
    FOREACH family IN ARRAY ARRAY['application_events', 'audit_log'] LOOP
        EXECUTE format('SELECT max(time) FROM %I', family || '_before') INTO latest;
        IF latest IS NULL THEN
            EXECUTE format('DROP TABLE %I', family || '_before');
        ELSE
            latest := greatest(latest, (extract(epoch FROM now()) * 1000000)::BIGINT);
            month := date_trunc('month', to_timestamp(latest / 1000000) AT TIME ZONE 'UTC')
                + INTERVAL '1 month';
            EXECUTE format(
                'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%s)',
                family, family || '_before', (extract(epoch FROM month) * 1000000)::BIGINT
            );
            EXECUTE format(
                'ALTER TABLE %I RENAME TO %I',
                family || '_before', family || '_before_' || to_char(month, 'YYYY_MM')
            );
        END IF;
    END LOOP;
END
$$;
