-- title: From where, by what and for what each long-term key is used in the window
-- comment: key_callers has one row per key, way of use, source, program and host; key_actions the kinds of call of each.
--   via is key for records signed with the key itself, session for those of sessions that it opened. Each is a pass of its own
--   over activity, since days and calls together would be as many groups as there are rows.
--   A caller is a program at an address, for a resource where the records name one, however it uses the key. What a service
--   calls for a caller follows from what the caller asked it, and is no caller of its own: there caller is null.
-- with: key_children

key_records AS (
    SELECT
        coalesce(parent_key_id, access_key_id) AS access_key_id,
        CASE WHEN parent_key_id IS NULL THEN 'key' ELSE 'session' END AS via,
        coalesce(source_ip, source_service) AS source,
        agent_family(user_agent) AS agent,
        user_agent,
        in_scope_of,
        event_source,
        event_name,
        event_date,
        hour,
        account_id,
        CASE WHEN principal_type <> 'FederatedUser' THEN principal_arn END AS user_arn,
        first_time,
        least(last_time, least($to, $as_of)) AS last_time,
        event_count,
        error_code,
        sample_event_id
    FROM activity
    LEFT JOIN key_children
        ON access_key_id = child_key_id AND first_time >= issued_time AND first_time <= expires
    WHERE last_time >= $from
        AND first_time < least($to, $as_of)
        AND (
            credential_kind = 'long_term'
            OR (credential_kind = 'temporary' AND principal_type IN ('IAMUser', 'FederatedUser', 'Root'))
        )
        AND (parent_key_id IS NOT NULL OR access_key_id LIKE 'AKIA%')
),
key_callers AS (
    SELECT
        access_key_id,
        via,
        source,
        agent,
        in_scope_of,
        CASE
            WHEN source LIKE '%.amazonaws.com' OR source LIKE 'AWS Internal%' THEN NULL
            ELSE concat(
                coalesce(agent, 'unknown program'),
                ' from ',
                coalesce(source, 'unknown source'),
                CASE WHEN in_scope_of <> '' THEN concat(' for ', in_scope_of) ELSE '' END
            )
        END AS caller,
        min(user_agent) AS first_agent,
        max(user_agent) AS last_agent,
        count(DISTINCT event_date) AS days_active,
        min(account_id) AS account_id,
        max(user_arn) AS user_arn,
        min(first_time) AS first_used,
        max(last_time) AS last_used,
        sum(event_count) AS calls,
        sum(CASE WHEN error_code IS NOT NULL THEN event_count ELSE 0 END) AS errors,
        sum(
            CASE WHEN date_part('dow', hour) IN (0, 6) OR date_part('hour', hour) NOT BETWEEN 5 AND 20
                THEN event_count ELSE 0 END
        ) AS calls_off_hours,
        bool_or(event_source = 'sts.amazonaws.com' AND event_name IN ('GetFederationToken', 'GetSessionToken')) AS asks_for_tokens,
        -- What the key is needed for: calls to STS and refused ones are no work.
        array_agg(DISTINCT concat(event_source, ':', event_name))
            FILTER (WHERE event_source <> 'sts.amazonaws.com' AND error_code IS NULL) AS kinds,
        first_value(sample_event_id ORDER BY first_time, sample_event_id) AS first_event_id,
        last_value(sample_event_id ORDER BY last_time, sample_event_id) AS last_event_id
    FROM key_records
    GROUP BY access_key_id, via, source, agent, in_scope_of
),
key_actions AS (
    SELECT DISTINCT access_key_id, via, source, agent, in_scope_of, event_source, event_name
    FROM key_records
)
