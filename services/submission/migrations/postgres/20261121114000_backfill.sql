-- What lists are filtered by, for rows of the earlier release. Those that it accepts while both run
-- get place and queue with their next change.
UPDATE applications SET
    display_name = COALESCE(CAST(submission AS JSON) ->> 'display_name', ''),
    queue = COALESCE(
        (SELECT CAST(attempts.placement AS JSON) ->> 'queue' FROM attempts
            WHERE attempts.application_id = applications.application_id
            ORDER BY number DESC LIMIT 1),
        CAST(submission AS JSON) -> 'spec' ->> 'queue', ''),
    cluster = COALESCE(
        (SELECT attempts.cluster FROM attempts
            WHERE attempts.application_id = applications.application_id
            ORDER BY number DESC LIMIT 1), '')
WHERE display_name = '';
