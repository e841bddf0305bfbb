-- What lists are filtered by, for rows of the earlier release.
UPDATE applications SET
    display_name = COALESCE(json_extract(submission, '$.display_name'), ''),
    queue = COALESCE(
        (SELECT json_extract(attempts.placement, '$.queue') FROM attempts
            WHERE attempts.application_id = applications.application_id
            ORDER BY number DESC LIMIT 1),
        json_extract(submission, '$.spec.queue'), ''),
    cluster = COALESCE(
        (SELECT attempts.cluster FROM attempts
            WHERE attempts.application_id = applications.application_id
            ORDER BY number DESC LIMIT 1), '')
WHERE display_name = '';
