-- What lists are filtered by. Rows of the earlier release have it in `submission` only.
ALTER TABLE applications ADD COLUMN display_name TEXT NOT NULL DEFAULT '';
ALTER TABLE applications ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE applications ADD COLUMN workflow TEXT NOT NULL DEFAULT '';
ALTER TABLE applications ADD COLUMN run TEXT NOT NULL DEFAULT '';
ALTER TABLE applications ADD COLUMN queue TEXT NOT NULL DEFAULT '';
ALTER TABLE applications ADD COLUMN cluster TEXT NOT NULL DEFAULT '';
ALTER TABLE applications ADD COLUMN tier TEXT NOT NULL DEFAULT '';
-- A JSON object of texts.
ALTER TABLE applications ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
-- While RETRY_WAIT.
ALTER TABLE applications ADD COLUMN next_attempt_time BIGINT;

CREATE INDEX applications_by_workflow ON applications (workflow, application_id) WHERE workflow <> '';
CREATE INDEX applications_by_owner ON applications (owner, application_id) WHERE owner <> '';
CREATE INDEX applications_by_update_time ON applications (update_time, application_id);

ALTER TABLE attempts ADD COLUMN reason TEXT NOT NULL DEFAULT 'first';
-- What it is launched with, JSON. The earlier release launched with what the request says.
ALTER TABLE attempts ADD COLUMN launch TEXT;
