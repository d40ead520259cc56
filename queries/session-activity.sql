-- title: Session activity
-- question: What was done in a session, by a person or in a span of time: what changed, what failed, from where?
-- params:
--   as_of: timestamp = now; the answer's "now"; to counts from it
--   days: integer = null; only the last so many days before to
--   from: timestamp = null; only what was done at or after this time
--   to: timestamp = null; only what was done before this time; as_of if not given
--   account: text = null; only calls that this account's trail recorded
--   role: text = null; only sessions of this role: ARN, account/name, or name
--   session: text = null; only this session: its id, the event id of its issue, its ARN, its name, or an access key of it
--   who: text = null; only sessions that go back to this caller: user, role, subject, or a part of it; of a person, the session's name
-- columns:
--   time: when it was first done, in this hour
--   last_time: when it was last done, in this hour
--   who: who stands at the root of the session's chain; null where the lake does not say
--   role: role of the session; null for sessions of users and of root
--   session_name: its name, as the caller chose it
--   service: service called
--   action: call that was made
--   change: what it changed: iam (who may do what), trails (logging and watching), network (who can reach what), data, or other; null
--     for what only reads or uses
--   targets: for changes of IAM and roles that were taken, of what; null where the logs do not name it
--   outcome: success or failure
--   error_code: error that the service answered
--   aws_region: region that the call was made to
--   account_id: account whose trail recorded it
--   source: address or service that it came from
--   network: name of the network, in --networks or the settings; null where nothing names it
--   access_key_id: access key that signed; null where none did
--   records: records, as delivered
--   link: how it is tied to the session, as in session_activity
--   session_id: the session
--   evidence_event_id: event id of the first
-- subject: role
-- all: no
-- key: session_id, time, service, action, error_code, aws_region, account_id, source, access_key_id, link
-- screen: time, service, action, change, error_code, targets, who
-- pitfall: Reading and writing objects, invoking functions and the like are data events, which trails leave out unless told. What is not
--   here was not recorded; it may have been done.

WITH chosen AS (
    SELECT session_id, origin, role, session_name
    FROM sessions
    WHERE ($session IS NULL
            OR session_id = $session
            OR session_arn = $session
            OR session_name = $session
            OR access_key_id = $session
            OR array_has(issued_event_ids, $session)
            OR array_has(used_access_key_ids, $session))
        AND ($who IS NULL
            OR strpos(lower(origin), lower($who)) > 0
            OR strpos(lower(caller), lower($who)) > 0
            OR lower(session_name) = lower($who)
            OR lower(source_identity) = lower($who))
        AND role_is(role_account_id, role_name, $role)
        AND coalesce(first_used, issued_time) < $to
        AND coalesce(last_used, expires, issued_time) >= $from
),
-- What the logs say of what a call was about.
named_targets AS (
    SELECT
        target_key_id,
        target_account_id,
        target_action,
        target_hour,
        array_sort(array_agg(DISTINCT target)) AS targets
    FROM (
        SELECT
            actor_access_key_id AS target_key_id,
            recipient_account_id AS target_account_id,
            event_name AS target_action,
            date_trunc('hour', event_time) AS target_hour,
            coalesce(target_arn, target_name, target_id) AS target
        FROM iam_changes
        WHERE event_time >= $from AND event_time < $to
        UNION ALL
        SELECT
            caller_access_key_id,
            recipient_account_id,
            event_name,
            date_trunc('hour', event_time),
            coalesce(role_arn, target_principal)
        FROM credential_events
        WHERE event_time >= $from AND event_time < $to
    ) AS told
    WHERE target_key_id IS NOT NULL AND target IS NOT NULL
    GROUP BY target_key_id, target_account_id, target_action, target_hour
),
done AS (
    SELECT
        chosen.session_id,
        origin,
        role,
        chosen.session_name,
        access_key_id,
        replace(event_source, '.amazonaws.com', '') AS service,
        event_name,
        error_code,
        aws_region,
        recipient_account_id,
        coalesce(source_ip, source_service) AS source,
        min(network_label(source_ip)) AS network,
        link,
        hour,
        sum(event_count) AS records,
        min(first_time) AS first_time,
        max(last_time) AS last_time,
        first_value(sample_event_id ORDER BY first_time, sample_event_id) AS evidence_event_id
    FROM chosen
    JOIN session_activity ON chosen.session_id = session_activity.session_id
    WHERE last_time >= $from
        AND first_time < $to
        AND ($account IS NULL OR recipient_account_id = $account)
    GROUP BY
        chosen.session_id, origin, role, chosen.session_name, access_key_id, event_source, event_name, error_code, aws_region,
        recipient_account_id, coalesce(source_ip, source_service), link, hour
)
SELECT
    first_time AS time,
    last_time,
    origin AS who,
    role,
    session_name,
    service,
    event_name AS action,
    change_kind(service, event_name) AS change,
    targets,
    CASE WHEN error_code IS NULL THEN 'success' ELSE 'failure' END AS outcome,
    error_code,
    aws_region,
    recipient_account_id AS account_id,
    source,
    network,
    access_key_id,
    records,
    link,
    session_id,
    evidence_event_id
FROM done
LEFT JOIN named_targets
    ON access_key_id = target_key_id
    AND recipient_account_id = target_account_id
    AND event_name = target_action
    AND hour = target_hour
ORDER BY first_time, last_time, session_id, service, event_name, error_code, aws_region, recipient_account_id, source, access_key_id, link, evidence_event_id
