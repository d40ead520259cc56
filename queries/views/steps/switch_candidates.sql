-- title: Console role switches beside the AssumeRole calls that may belong to them
-- comment: Same role, same session name, at most ten seconds apart, made by the console (which calls from inside
--   AWS), and by a caller that may be the one that SwitchFrom names. Buckets of ten seconds make the join one of
--   equal keys: a call lies in the switch's bucket or in one beside it.

WITH switches AS (
    SELECT
        act_key AS switch_key,
        min(event_id) AS switch_event_id,
        min(event_time) AS switch_time,
        min(switch_from) AS switch_from,
        min(source_ip) AS source_ip,
        min(user_agent) AS user_agent,
        bool_or(caller_mfa) AS mfa,
        min(recipient_account_id) AS recipient_account_id,
        role_account_id,
        role_name,
        session_name
    FROM current_events
    WHERE event_name = 'SwitchRole' AND event_source = 'signin.amazonaws.com' AND outcome = 'success'
    GROUP BY act_key, role_account_id, role_name, session_name
),
bucketed AS (
    SELECT *, unnest(make_array(-1, 0, 1)) + floor(to_unixtime(switch_time) / 10) AS bucket
    FROM switches
),
calls AS (
    SELECT
        act_key AS assume_key,
        min(event_id) AS assume_event_id,
        min(event_time) AS assume_time,
        min(caller_account_id) AS caller_account_id,
        min(caller_arn) AS caller_arn,
        min(caller_principal_id) AS caller_principal_id,
        role_account_id,
        role_name,
        session_name,
        floor(to_unixtime(min(event_time)) / 10) AS bucket
    FROM current_events
    WHERE event_name = 'AssumeRole'
        AND event_source = 'sts.amazonaws.com'
        AND outcome = 'success'
        AND (
            source_service LIKE 'AWS Internal%'
            OR user_agent LIKE 'AWS Internal%'
            OR user_agent LIKE 'aws-internal/%'
        )
    GROUP BY act_key, role_account_id, role_name, session_name
)
SELECT
    assume_key,
    assume_event_id,
    switch_key,
    switch_event_id,
    switch_from,
    source_ip,
    user_agent,
    mfa,
    recipient_account_id,
    caller_principal_id,
    assume_time,
    abs(arrow_cast(assume_time, 'Int64') - arrow_cast(switch_time, 'Int64')) AS gap
FROM bucketed
JOIN calls USING (role_account_id, role_name, session_name, bucket)
WHERE abs(arrow_cast(assume_time, 'Int64') - arrow_cast(switch_time, 'Int64')) <= 10000000
    -- What either record does not say contradicts nothing.
    AND coalesce(caller_account_id = arn_account(switch_from), true)
    AND coalesce(caller_arn = switch_from, true)
    AND coalesce(
        CASE
            WHEN caller_principal_id LIKE 'AIDA%' THEN switch_from NOT LIKE '%:assumed-role/%'
            WHEN caller_principal_id LIKE 'AROA%:%'
                THEN arn_session(switch_from) IS NOT DISTINCT FROM split_part(caller_principal_id, ':', 2)
        END,
        true
    )
