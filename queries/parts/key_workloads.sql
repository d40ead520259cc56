-- title: From where, by what and for what each long-term key is used in the window
-- comment: key_callers has one row per key, way of use, place, program and host. via is key for records signed with the key
--   itself, session for those of sessions that it opened. It is one pass over activity: days and kinds of call are lists, since
--   as groups they would be as many as there are rows.
--   A caller is a program in a place (network_place), for a resource where the records name one, however it uses the key. A
--   program that comes from ever new places and does the same in each is one caller: hosted CI, or what its user agent says that
--   it runs on. People's programs are not (browser, console, anything on macOS or Windows), and the command line only where it
--   does the very same. Networks that somebody has named are never part of it. What a service calls for a caller follows from
--   what the caller asked it, and is no caller of its own: there caller is null. For a report with tz.
-- with: key_children

key_records AS (
    SELECT
        coalesce(parent_key_id, access_key_id) AS access_key_id,
        CASE WHEN parent_key_id IS NULL THEN 'key' ELSE 'session' END AS via,
        -- The console's own records name the sign-in page, beside the person's address.
        coalesce(nullif(invoked_by, 'signin.amazonaws.com'), source_ip, source_service) AS source,
        nullif(invoked_by, 'signin.amazonaws.com') IS NOT NULL AS forwarded,
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
key_sources AS (
    SELECT
        access_key_id,
        via,
        source,
        agent,
        in_scope_of,
        coalesce(network_place(source), source) AS place,
        network_label(source) AS network,
        network_kind(source) AS network_kind,
        network_block(source) AS block,
        -- Networks behind one's own router: nobody's hosted runners.
        coalesce(
            ip_in(source, '10.0.0.0/8') OR ip_in(source, '172.16.0.0/12') OR ip_in(source, '192.168.0.0/16')
                OR ip_in(source, '100.64.0.0/10') OR ip_in(source, 'fc00::/7'),
            false
        ) AS on_private_network,
        bool_or(forwarded) OR coalesce(
            source LIKE '%.amazonaws.com' OR source LIKE '%.amazonaws.com.cn' OR source LIKE 'AWS Internal%',
            false
        ) AS by_service,
        agent IN ('browser', 'console')
            OR concat(min(user_agent), max(user_agent)) LIKE '%os/macos%'
            OR concat(min(user_agent), max(user_agent)) LIKE '%os/windows%'
            OR concat(min(user_agent), max(user_agent)) LIKE '%Darwin/%'
            OR concat(min(user_agent), max(user_agent)) LIKE '%Windows/%' AS on_a_desk,
        min(user_agent) AS first_agent,
        max(user_agent) AS last_agent,
        array_agg(DISTINCT event_date) AS days,
        min(account_id) AS account_id,
        max(user_arn) AS user_arn,
        min(first_time) AS first_used,
        max(last_time) AS last_used,
        sum(event_count) AS calls,
        sum(CASE WHEN error_code IS NOT NULL THEN event_count ELSE 0 END) AS errors,
        sum(CASE WHEN off_hours(hour, $tz) THEN event_count ELSE 0 END) AS calls_off_hours,
        bool_or(event_source = 'sts.amazonaws.com' AND event_name IN ('GetFederationToken', 'GetSessionToken')) AS asks_for_tokens,
        -- What the key is needed for: calls to STS and refused ones are no work.
        array_agg(DISTINCT concat(event_source, ':', event_name))
            FILTER (WHERE event_source <> 'sts.amazonaws.com' AND error_code IS NULL) AS kinds,
        array_agg(DISTINCT concat(split_part(event_source, '.', 1), ':', event_name)) AS actions,
        first_value(sample_event_id ORDER BY first_time, sample_event_id) AS first_event_id,
        last_value(sample_event_id ORDER BY last_time, sample_event_id) AS last_event_id
    FROM key_records
    GROUP BY access_key_id, via, source, agent, in_scope_of
),
key_places AS (
    SELECT
        *,
        -- All of a job that only takes roles is alike. An address that is there on four days is a machine of its own, and new
        -- addresses in one network are that network's pool; a host makes itself new IPv6 addresses every day.
        coalesce(
            could_roam AND network IS NULL AND array_length(days) <= 3
                AND min(roamed_block) OVER (PARTITION BY access_key_id, agent)
                    <> max(roamed_block) OVER (PARTITION BY access_key_id, agent)
                AND ever_new_places(
                    CASE WHEN could_roam THEN coalesce(network, CASE WHEN source LIKE '%:%' THEN block ELSE source END) END,
                    days,
                    coalesce(kinds, make_array(''))
                ) OVER (PARTITION BY access_key_id, agent) >= CASE WHEN agent = 'aws-cli' THEN 0.8 ELSE 0.5 END,
            false
        ) AS roams
    FROM (
        SELECT
            *,
            block IS NOT NULL AND NOT (on_private_network OR on_a_desk OR by_service) AS could_roam,
            CASE WHEN NOT (on_private_network OR on_a_desk OR by_service) THEN coalesce(network, block) END AS roamed_block
        FROM key_sources
    ) AS looked_at
),
key_callers AS (
    SELECT
        access_key_id,
        via,
        caller_place AS place,
        min(CASE WHEN caller_place = 'hosted CI' AND roams THEN 'ci' ELSE network_kind END) AS network_kind,
        agent,
        in_scope_of,
        CASE WHEN NOT by_service THEN concat(
            coalesce(agent, 'unknown program'),
            ' from ',
            coalesce(caller_place, 'unknown source'),
            CASE WHEN in_scope_of <> '' THEN concat(' for ', in_scope_of) ELSE '' END
        ) END AS caller,
        bool_or(roams) AS roams,
        bool_and(on_private_network) AS on_private_network,
        array_sort(array_agg(DISTINCT source) FILTER (WHERE source IS NOT NULL)) AS sources,
        min(first_agent) AS first_agent,
        max(last_agent) AS last_agent,
        array_distinct(flatten(array_agg(days))) AS days,
        min(account_id) AS account_id,
        max(user_arn) AS user_arn,
        min(first_used) AS first_used,
        max(last_used) AS last_used,
        sum(calls) AS calls,
        sum(errors) AS errors,
        sum(calls_off_hours) AS calls_off_hours,
        bool_or(asks_for_tokens) AS asks_for_tokens,
        array_distinct(flatten(array_agg(kinds) FILTER (WHERE kinds IS NOT NULL))) AS kinds,
        array_distinct(flatten(array_agg(actions))) AS actions,
        first_value(first_event_id ORDER BY first_used, first_event_id) AS first_event_id,
        last_value(last_event_id ORDER BY last_used, last_event_id) AS last_event_id
    FROM (
        SELECT
            *,
            CASE
                WHEN NOT roams THEN place
                WHEN concat(first_agent, last_agent) LIKE '%exec-env/AWS_Lambda%' THEN 'AWS Lambda'
                WHEN concat(first_agent, last_agent) LIKE '%exec-env/AWS_ECS%' THEN 'AWS ECS'
                ELSE 'hosted CI'
            END AS caller_place
        FROM key_places
    ) AS placed
    GROUP BY access_key_id, via, caller_place, by_service, agent, in_scope_of
)
