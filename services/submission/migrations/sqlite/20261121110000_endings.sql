-- The next deadline, in microseconds since the epoch; NULL when there is none or the attempt is being
-- ended already.
ALTER TABLE applications ADD COLUMN deadline_time BIGINT;
CREATE INDEX applications_by_deadline ON applications (deadline_time)
    WHERE deadline_time IS NOT NULL;

-- 1: the driver is killed at once, without its grace.
ALTER TABLE attempts ADD COLUMN is_killed BIGINT NOT NULL DEFAULT 0;
-- Attempts of which something may be in a cluster, and those among them that are being ended.
CREATE INDEX attempts_live ON attempts (cluster, application_id, number) WHERE clean_up = 'LIVE';
CREATE INDEX attempts_ending ON attempts (cluster, application_id, number)
    WHERE clean_up = 'LIVE' AND ending_category IS NOT NULL;
