-- title: What was opened with long-term keys, hop by hop
-- comment: from_keys has one row per session that goes back to a long-term key, live what of it has not expired at as_of, by
--   key. For a report that begins WITH RECURSIVE and has soak_days.

issues AS (
    SELECT
        caller_access_key_id AS caller_key_id,
        issued_access_key_id AS issued_key_id,
        event_name,
        coalesce(role_arn, concat_ws('/', role_account_id, role_name)) AS role,
        event_time AS issued_time,
        coalesce(
            issued_expiration,
            event_time + arrow_cast(duration_seconds * 1000000, 'Duration(Microsecond)'),
            event_time + INTERVAL '1 hour'
        ) AS expires
    FROM credential_events
    WHERE outcome = 'success'
        AND caller_access_key_id IS NOT NULL
        AND issued_access_key_id IS NOT NULL
        AND caller_access_key_id <> issued_access_key_id
        AND event_time < $as_of
        -- The longest session lasts 36 hours, and is looked for from before the time that is watched.
        AND event_time >= least(
            arrow_cast($from, 'Timestamp(Microsecond, Some("UTC"))'),
            arrow_cast($as_of, 'Timestamp(Microsecond, Some("UTC"))') - arrow_cast($soak_days * 86400000000, 'Duration(Microsecond)')
        ) - INTERVAL '36 hours'
    GROUP BY 1, 2, 3, 4, 5, 6
),
descendants AS (
    SELECT issued_key_id, issued_time, expires, 1 AS depth
    FROM issues
    WHERE caller_key_id LIKE 'AKIA%'
    UNION ALL
    SELECT
        issues.issued_key_id,
        issues.issued_time,
        issues.expires,
        descendants.depth + 1
    FROM descendants
    JOIN issues
        ON descendants.issued_key_id = issues.caller_key_id
        AND issues.issued_time >= descendants.issued_time
        AND issues.issued_time <= descendants.expires
    WHERE descendants.depth < 20 AND issues.caller_key_id NOT LIKE 'AKIA%'
),
from_keys AS (
    SELECT issued_key_id, min(issued_time) AS issued_time, max(expires) AS expires
    FROM descendants
    GROUP BY issued_key_id
),
-- The same over the few days that matter for what is live: 36 hours of a token, then the roles taken with it.
lately AS (
    SELECT caller_key_id AS access_key_id, issued_key_id, event_name, role, issued_time, expires, 1 AS depth
    FROM issues
    WHERE caller_key_id LIKE 'AKIA%' AND issued_time >= arrow_cast($as_of, 'Timestamp(Microsecond, Some("UTC"))') - INTERVAL '5 days'
    UNION ALL
    SELECT
        lately.access_key_id,
        issues.issued_key_id,
        issues.event_name,
        issues.role,
        issues.issued_time,
        issues.expires,
        lately.depth + 1
    FROM lately
    JOIN issues
        ON lately.issued_key_id = issues.caller_key_id
        AND issues.issued_time >= lately.issued_time
        AND issues.issued_time <= lately.expires
    WHERE lately.depth < 20
        AND issues.caller_key_id NOT LIKE 'AKIA%'
        AND issues.issued_time >= arrow_cast($as_of, 'Timestamp(Microsecond, Some("UTC"))') - INTERVAL '5 days'
),
live AS (
    SELECT
        access_key_id,
        listed(array_sort(array_agg(DISTINCT concat(
            CASE WHEN role <> '' THEN role ELSE event_name END,
            ' until ',
            to_char(expires, '%Y-%m-%dT%H:%M:%SZ')
        ))), 20) AS live_children,
        max(expires) AS live_until
    FROM lately
    WHERE expires > $as_of
    GROUP BY access_key_id
)
