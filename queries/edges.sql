-- title: Edges
-- question: Which principals use which roles, since when, and how often?
-- params:
--   as_of: timestamp = now; the answer's "now"; to counts from it
--   days: integer = null; only edges used in the last so many days before to
--   from: timestamp = null; only edges used at or after this time
--   to: timestamp = null; only acts before this time; as_of if not given
--   account: text = null; only roles or callers of this account
--   role: text = null; only this role: ARN, account/name, or name
--   censor_days: integer = 1; a first use within so many days of the start of the logs is not called new
-- columns:
--   caller: who takes the role, without session
--   role: the role; for AssumeRoot the root that was taken
--   method: how the role is taken
--   first_seen: first time in all the logs before to, not only since from
--   last_seen: last time
--   days_active: days with at least one act since from
--   sessions: distinct sessions by name since from
--   session_hours: distinct sessions and hours since from: EC2's double issue and SAML's refreshes count once
--   assumptions: acts since from
--   distinct_sources: distinct addresses since from
--   networks: names of the networks that the acts since from came from, in --networks or the settings; null where nothing names
--     them
--   cross_account: whether caller and role lie in different accounts
--   external: whether the caller's account is not among those whose logs the lake holds
--   resolved_by: the ways in which the caller is known
--   first_seen_is_left_censored: whether the logs begin so shortly before first_seen that the use may well be older
--   evidence_event_ids: event ids of the first and the last act
-- subject: caller
-- key: caller, role, method
-- screen: caller, role, method, last_seen, assumptions, external
-- pitfall: The first use in the logs is not the first use: first_seen_is_left_censored says when the logs begin too late to
--   tell. And acts are not sessions: EC2 is given credentials twice a second, consoles ask again every minute.

WITH held AS (
    SELECT recipient_account_id AS account_id, min(first_time) AS held_since
    FROM activity
    WHERE recipient_account_id IS NOT NULL
    GROUP BY recipient_account_id
),
acts AS (
    SELECT *, event_time >= $from AS recent, network_label(source_ip) AS network
    FROM (
        SELECT
            * EXCEPT (role),
            CASE WHEN method = 'assume_root'
                THEN concat('arn:', coalesce(split_part(caller_arn, ':', 2), 'aws'), ':iam::', role_account_id, ':root')
                ELSE role END AS role
        FROM assumptions
    ) AS taken
    WHERE outcome = 'success'
        AND role IS NOT NULL
        AND event_time < $to
        AND ($account IS NULL OR role_account_id = $account OR caller_account_id = $account)
        AND role_is(role_account_id, role_name, $role)
),
edges AS (
    SELECT
        caller,
        role,
        method,
        min(role_account_id) AS role_account_id,
        min(caller_account_id) AS caller_account_id,
        min(event_time) AS first_seen,
        max(event_time) AS last_seen,
        count(DISTINCT CASE WHEN recent THEN event_date END) AS days_active,
        count(DISTINCT CASE WHEN recent THEN coalesce(session_name, '') END) AS sessions,
        count(DISTINCT CASE WHEN recent THEN concat(coalesce(session_name, ''), '@', date_trunc('hour', event_time)) END)
            AS session_hours,
        sum(CASE WHEN recent THEN 1 ELSE 0 END) AS assumptions,
        count(DISTINCT CASE WHEN recent THEN source_ip END) AS distinct_sources,
        array_sort(array_agg(DISTINCT network) FILTER (WHERE recent AND network IS NOT NULL)) AS networks,
        bool_or(cross_account) AS cross_account,
        array_sort(array_agg(DISTINCT caller_resolved_by)) AS resolved_by,
        array_distinct(make_array(
            first_value(event_id ORDER BY event_time, event_id),
            last_value(event_id ORDER BY event_time, event_id)
        )) AS evidence_event_ids
    FROM acts
    GROUP BY caller, role, method
)
SELECT
    caller,
    role,
    method,
    first_seen,
    last_seen,
    days_active,
    sessions,
    session_hours,
    assumptions,
    distinct_sources,
    networks,
    cross_account,
    cross_account AND caller_held.account_id IS NULL AS external,
    resolved_by,
    coalesce(
        first_seen < held.held_since + arrow_cast($censor_days * 86400000000, 'Duration(Microsecond)'),
        true
    ) AS first_seen_is_left_censored,
    evidence_event_ids
FROM edges
LEFT JOIN held ON edges.role_account_id = held.account_id
LEFT JOIN held AS caller_held ON edges.caller_account_id = caller_held.account_id
WHERE assumptions > 0
ORDER BY role, caller, method
