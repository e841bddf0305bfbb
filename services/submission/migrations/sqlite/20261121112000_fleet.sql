-- One row, updated by every change of what is below: replicas look at it to see whether to read
-- anew, and its lock makes changes follow one another.
CREATE TABLE fleet_revision (
    id BIGINT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL
);
INSERT INTO fleet_revision (id, revision) VALUES (1, 0);

CREATE TABLE clusters (
    name TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    -- JSON
    settings TEXT NOT NULL,
    revision BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL
);

-- What the workers of a cluster see, JSON; written every few seconds, and no change of the fleet.
CREATE TABLE cluster_health (
    name TEXT NOT NULL PRIMARY KEY,
    health TEXT NOT NULL
);

CREATE TABLE projects (
    name TEXT NOT NULL PRIMARY KEY,
    -- JSON
    defaults TEXT NOT NULL,
    policy TEXT NOT NULL,
    revision BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL
);

CREATE TABLE strategies (
    project TEXT NOT NULL,
    workflow TEXT NOT NULL,
    -- JSON
    settings TEXT NOT NULL,
    revision BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (project, workflow)
);

-- Append-only, by the revision that each change made.
CREATE TABLE fleet_audit_log (
    revision BIGINT NOT NULL PRIMARY KEY,
    time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX attempts_left_in_cluster ON attempts (cluster) WHERE clean_up <> 'DONE';
