-- title: Session denials
-- question: Which calls were refused in which sessions, to whom, and how often?
-- params:
--   as_of: timestamp = now; the answer's "now"; to counts from it
--   days: integer = null; only the last so many days before to
--   from: timestamp = null; only calls at or after this time
--   to: timestamp = null; only calls before this time; as_of if not given
--   account: text = null; only calls that this account's trail recorded
--   role: text = null; only sessions of this role: ARN, account/name, or name
--   who: text = null; only sessions that go back to this caller: user, role, subject, or a part of it; of a person, the session's name
-- columns:
--   who: who stands at the root of the session's chain; null where the lake does not say
--   role: role of the session; null for sessions of users and of root
--   service: service that refused
--   action: call that was refused
--   error_code: error that the service answered
--   attempts: records, as delivered
--   sessions: sessions in which it was refused
--   accounts: accounts whose trails recorded it
--   sources: addresses and services that it came from
--   first_seen: first time
--   last_seen: last time
--   evidence_event_ids: event ids of the first and the last
-- findings: all
-- subject: role
-- key: who, role, service, action, error_code
-- screen: who, role, service, action, error_code, attempts, last_seen
-- pitfall: A refused call is in the log of the caller's account alone where the two differ, and what refused it (which policy) stands in the
--   record's message only, which is not kept for other calls than those that take a role: see denied.

WITH refused AS (
    SELECT *
    FROM session_activity
    WHERE error_code IS NOT NULL
        AND (error_code LIKE '%AccessDenied%'
            OR error_code LIKE '%Unauthorized%'
            OR error_code LIKE '%NotAuthorized%'
            OR error_code LIKE '%Forbidden%'
            OR error_code = 'AuthorizationError')
        AND last_time >= $from
        AND first_time < $to
        AND ($account IS NULL OR recipient_account_id = $account)
)
SELECT
    origin AS who,
    role,
    replace(event_source, '.amazonaws.com', '') AS service,
    event_name AS action,
    error_code,
    sum(refused.event_count) AS attempts,
    count(DISTINCT refused.session_id) AS sessions,
    array_sort(array_agg(DISTINCT recipient_account_id) FILTER (WHERE recipient_account_id IS NOT NULL)) AS accounts,
    listed(array_sort(array_agg(DISTINCT coalesce(source_ip, source_service)) FILTER (WHERE coalesce(source_ip, source_service) IS NOT NULL)), 5)
        AS sources,
    min(first_time) AS first_seen,
    max(last_time) AS last_seen,
    array_distinct(make_array(
        first_value(refused.sample_event_id ORDER BY first_time, refused.sample_event_id),
        last_value(refused.sample_event_id ORDER BY first_time, refused.sample_event_id)
    )) AS evidence_event_ids
FROM refused
JOIN sessions ON refused.session_id = sessions.session_id
WHERE role_is(role_account_id, role_name, $role)
    AND ($who IS NULL
        OR strpos(lower(origin), lower($who)) > 0
        OR strpos(lower(caller), lower($who)) > 0
        OR lower(sessions.session_name) = lower($who)
        OR lower(sessions.source_identity) = lower($who))
GROUP BY origin, role, event_source, event_name, error_code
ORDER BY attempts DESC, who, role, service, action, error_code
