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
--   role: the role; for AssumeRoot the root that was taken; for a token that leaves AWS, outside and whom it is for
--   method: how the role is taken; web_identity_token for a token (GetWebIdentityToken) with which no role in the lake was taken
--   role_id: unique id of the role; one that was deleted and made again under its name is another. Null where nothing says which it was
--   current: whether that is the role that has the name now; null where nothing says
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
-- key: caller, role, method, role_id
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
        known_role_id AS role_id,
        min(role_name) AS role_name,
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
    GROUP BY caller, role, method, known_role_id
),
-- A token for another cloud, or for a partition of AWS that the lake does not hold: the way goes on outside.
tokens_out AS (
    SELECT
        *,
        coalesce(caller_issuer_arn, caller_arn, concat_ws('/', caller_account_id, split_part(caller_principal_id, ':', 1))) AS caller,
        concat('outside ', coalesce(federated_audience, 'AWS')) AS role,
        event_time >= $from AS recent,
        network_label(source_ip) AS network
    FROM credential_events AS asked
    LEFT ANTI JOIN (SELECT web_identity_token_id FROM credential_events WHERE event_name = 'AssumeRoleWithWebIdentity') AS taken
        ON asked.web_identity_token_id = taken.web_identity_token_id
    WHERE event_name = 'GetWebIdentityToken'
        AND outcome = 'success'
        AND event_time < $to
        AND $role IS NULL
        AND ($account IS NULL OR caller_account_id = $account)
),
all_edges AS (
    SELECT * FROM edges
    UNION ALL
    SELECT
        caller,
        role,
        'web_identity_token' AS method,
        CAST(NULL AS VARCHAR) AS role_id,
        CAST(NULL AS VARCHAR) AS role_name,
        CAST(NULL AS VARCHAR) AS role_account_id,
        min(caller_account_id) AS caller_account_id,
        min(event_time) AS first_seen,
        max(event_time) AS last_seen,
        count(DISTINCT CASE WHEN recent THEN event_date END) AS days_active,
        count(DISTINCT CASE WHEN recent THEN coalesce(caller_session_name, '') END) AS sessions,
        count(DISTINCT CASE WHEN recent THEN concat(coalesce(caller_session_name, ''), '@', date_trunc('hour', event_time)) END)
            AS session_hours,
        count(DISTINCT CASE WHEN recent THEN event_id END) AS assumptions,
        count(DISTINCT CASE WHEN recent THEN source_ip END) AS distinct_sources,
        array_sort(array_agg(DISTINCT network) FILTER (WHERE recent AND network IS NOT NULL)) AS networks,
        true AS cross_account,
        make_array('record') AS resolved_by,
        array_distinct(make_array(
            first_value(event_id ORDER BY event_time, event_id),
            last_value(event_id ORDER BY event_time, event_id)
        )) AS evidence_event_ids
    FROM tokens_out
    GROUP BY caller, role
)
SELECT
    caller,
    role,
    method,
    edges.role_id,
    CASE WHEN deleted_at IS NOT NULL THEN false ELSE edges.role_id = current_role_id END AS current,
    first_seen,
    last_seen,
    days_active,
    sessions,
    session_hours,
    assumptions,
    distinct_sources,
    networks,
    cross_account,
    method = 'web_identity_token' OR (cross_account AND caller_held.account_id IS NULL) AS external,
    resolved_by,
    coalesce(
        first_seen < coalesce(held.held_since, caller_held.held_since) + arrow_cast($censor_days * 86400000000, 'Duration(Microsecond)'),
        true
    ) AS first_seen_is_left_censored,
    evidence_event_ids
FROM all_edges AS edges
LEFT JOIN held ON edges.role_account_id = held.account_id
LEFT JOIN held AS caller_held ON edges.caller_account_id = caller_held.account_id
LEFT JOIN known_roles ON edges.role_account_id = known_roles.role_account_id AND edges.role_name = known_roles.role_name
WHERE assumptions > 0
ORDER BY role, caller, method, first_seen, role_id
