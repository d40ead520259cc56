-- title: Which roles could take over from each caller of a key
-- comment: One row per key and caller in matched, with the role that fits best, and in callers one per key. A role is matched
--   to a caller by program and address, in what was done there without any key. It must have been used so on two days at
--   least, and have made half of the caller's own kinds of call from that place; calls to STS and refused ones are no kinds of
--   work. standing ranks them: 1 it came later than the key's calls, and they stopped; 2 its calls grew by half when they
--   stopped; 3 it came later, beside them; 4 it is taken with the key itself; 5 it ran there all along, and may be another
--   job's. Only the first three say that the caller can do without the key. What only machines take is not for a person's
--   program. For a report with access_key and soak_days.
-- with: key_workloads, key_sessions

key_places AS (
    SELECT DISTINCT source_ip AS place
    FROM activity
    WHERE source_ip IS NOT NULL
        AND last_time >= $from
        AND first_time < least($to, $as_of)
        AND (
            credential_kind = 'long_term'
            OR (credential_kind = 'temporary' AND principal_type IN ('IAMUser', 'FederatedUser', 'Root'))
        )
),
-- One pass over activity: its days are lists, since days and kinds together would be as many groups as there are rows.
role_calls AS (
    SELECT
        source_ip,
        user_agent,
        role_arn,
        event_source,
        event_name,
        refused,
        without_key,
        min(first_time) AS first_time,
        max(last_time) AS last_time,
        array_agg(DISTINCT event_date) AS days,
        array_agg(DISTINCT event_date) FILTER (WHERE lately) AS days_lately,
        coalesce(sum(event_count) FILTER (WHERE lately), 0) AS calls_lately,
        coalesce(sum(event_count) FILTER (WHERE NOT lately), 0) AS calls_before
    FROM (
        SELECT
            used.*,
            -- A role that was taken with a key shows nothing of doing without the key.
            issued_key_id IS NULL AS without_key
        -- The few places and sessions of keys on the left: a join holds its left side in memory.
        FROM from_keys
        RIGHT JOIN (
            SELECT
                source_ip,
                user_agent,
                role_arn,
                event_source,
                event_name,
                error_code IS NOT NULL AS refused,
                access_key_id,
                event_date,
                first_time,
                last_time,
                event_count,
                first_time >= arrow_cast($as_of, 'Timestamp(Microsecond, Some("UTC"))')
                    - arrow_cast($soak_days * 86400000000, 'Duration(Microsecond)') AS lately
            FROM key_places
            RIGHT SEMI JOIN activity ON place = source_ip
            WHERE principal_type = 'AssumedRole'
                AND role_arn IS NOT NULL
                AND last_time >= $from
                AND first_time < least($to, $as_of)
        ) AS used
            ON from_keys.issued_key_id = used.access_key_id
            AND used.last_time >= from_keys.issued_time
            AND used.first_time <= from_keys.expires
    ) AS signed
    GROUP BY 1, 2, 3, 4, 5, 6, 7
),
role_use AS (
    SELECT
        source_ip AS source,
        coalesce(agent_family(user_agent), '') AS agent,
        role_arn,
        min(first_time) FILTER (WHERE without_key) AS role_first,
        max(last_time) FILTER (WHERE without_key) AS role_last,
        coalesce(array_length(array_distinct(flatten(array_agg(days) FILTER (WHERE without_key)))), 0) AS days_seen,
        coalesce(array_length(array_distinct(flatten(array_agg(days_lately) FILTER (WHERE without_key AND days_lately IS NOT NULL)))), 0)
            AS role_days,
        coalesce(sum(calls_lately) FILTER (WHERE without_key), 0) AS calls_lately,
        coalesce(sum(calls_before) FILTER (WHERE without_key), 0) AS calls_before,
        array_agg(DISTINCT concat(event_source, ':', event_name))
            FILTER (WHERE event_source <> 'sts.amazonaws.com' AND NOT refused) AS kinds_made
    FROM role_calls
    GROUP BY 1, 2, 3
),
-- How each role is taken. A role of machines is one that services take, and otherwise only roles.
role_ways AS (
    SELECT
        role_arn,
        bool_or(caller_type = 'AWSService') AND bool_and(caller_type IN ('AWSService', 'AssumedRole')) AS of_machines,
        min(CASE
            WHEN event_name = 'AssumeRoleWithSAML' THEN 'identity_center'
            WHEN event_name = 'CreateSession' THEN 'roles_anywhere'
            WHEN event_name <> 'AssumeRoleWithWebIdentity' THEN NULL
            WHEN identity_provider LIKE '%token.actions.githubusercontent.com%' THEN 'github_oidc'
            WHEN identity_provider LIKE '%gitlab%' THEN 'gitlab_oidc'
            WHEN identity_provider LIKE '%oidc.eks.%' THEN 'irsa'
            ELSE 'oidc'
        END) AS way
    FROM credential_events
    WHERE outcome = 'success' AND role_arn IS NOT NULL AND event_time < least($to, $as_of)
    GROUP BY role_arn
),
roles_taken AS (
    SELECT DISTINCT caller_access_key_id AS access_key_id, role_arn
    FROM credential_events
    WHERE outcome = 'success'
        AND event_name = 'AssumeRole'
        AND caller_access_key_id LIKE 'AKIA%'
        AND role_arn IS NOT NULL
        AND event_time >= $from
        AND event_time < least($to, $as_of)
),
workloads AS (
    SELECT
        *,
        agent IN ('browser', 'console') OR (agent = 'aws-cli' AND NOT (on_lambda OR on_ecs OR on_ec2 OR on_private_network)) AS of_a_person
    FROM (
        SELECT
            access_key_id,
            coalesce(source, '') AS source,
            coalesce(agent, '') AS agent,
            caller,
            min(first_used) AS first_used,
            max(last_used) AS last_used,
            sum(calls_off_hours) AS calls_off_hours,
            bool_or(asks_for_tokens) AS asks_for_tokens,
            array_distinct(flatten(array_agg(kinds) FILTER (WHERE kinds IS NOT NULL))) AS kinds,
            bool_or(coalesce(concat(first_agent, last_agent) LIKE '%exec-env/AWS_Lambda%' OR in_scope_of LIKE '%:lambda:%', false))
                AS on_lambda,
            bool_or(concat(first_agent, last_agent) LIKE '%exec-env/AWS_ECS%') AS on_ecs,
            bool_or(coalesce(
                concat(first_agent, last_agent) LIKE '%exec-env/EC2%'
                OR concat(first_agent, last_agent) LIKE '%exec-env/AWS_EC2%'
                OR in_scope_of LIKE '%:ec2:%',
                false
            )) AS on_ec2,
            bool_or(lower(concat(first_agent, last_agent)) LIKE '%github%' OR agent = 'configure-aws-credentials') AS on_github,
            bool_or(lower(concat(first_agent, last_agent)) LIKE '%gitlab%') AS on_gitlab,
            bool_or(coalesce(
                ip_in(source, '10.0.0.0/8') OR ip_in(source, '172.16.0.0/12') OR ip_in(source, '192.168.0.0/16'),
                false
            )) AS on_private_network
        FROM key_callers
        WHERE ($access_key IS NULL OR access_key_id = $access_key) AND caller IS NOT NULL
        GROUP BY 1, 2, 3, 4
    ) AS seen
),
compared AS (
    SELECT
        workloads.*,
        role_use.* EXCEPT (source, agent, kinds_made),
        roles_taken.role_arn IS NOT NULL AS taken_with_key,
        coalesce(of_machines, false) AND of_a_person AS not_for_people,
        way,
        -- Of a caller that does nothing but take roles, whatever the role is seen doing is its work.
        CASE
            WHEN array_length(workloads.kinds) > 0
                THEN coalesce(array_length(array_intersect(workloads.kinds, kinds_made)), 0)
                    / arrow_cast(array_length(workloads.kinds), 'Float64')
            WHEN roles_taken.role_arn IS NOT NULL THEN 1.0
        END AS fit,
        -- Later by a day, and by a tenth of the time in which either is seen.
        arrow_cast(role_first, 'Int64') - arrow_cast(workloads.first_used, 'Int64') >= greatest(
            86400000000,
            (arrow_cast(greatest(role_last, workloads.last_used), 'Int64') - arrow_cast(workloads.first_used, 'Int64')) / 10
        ) AS came_later,
        workloads.last_used < arrow_cast($as_of, 'Timestamp(Microsecond, Some("UTC"))')
            - arrow_cast($soak_days * 86400000000, 'Duration(Microsecond)') AS key_is_quiet
    FROM workloads
    LEFT JOIN role_use
        ON workloads.source = role_use.source
        AND workloads.agent = role_use.agent
        AND workloads.agent <> ''
    LEFT JOIN roles_taken
        ON workloads.access_key_id = roles_taken.access_key_id
        AND role_use.role_arn = roles_taken.role_arn
    LEFT JOIN role_ways ON role_use.role_arn = role_ways.role_arn
),
ranked AS (
    SELECT
        *,
        CASE
            WHEN coalesce(fit, 0) < 0.5 THEN NULL
            WHEN days_seen < 2 OR not_for_people OR (role_days = 0 AND role_last < last_used)
                THEN CASE WHEN taken_with_key THEN 4 END
            WHEN came_later
                AND arrow_cast(last_used, 'Int64') - arrow_cast(role_first, 'Int64')
                    <= (arrow_cast(role_last, 'Int64') - arrow_cast(role_first, 'Int64')) / 2 THEN 1
            WHEN key_is_quiet
                AND calls_before > 0
                -- Half as much again a day as before the days that are watched.
                AND calls_lately * (arrow_cast($as_of, 'Int64') - arrow_cast($from, 'Int64') - $soak_days * 86400000000)
                    >= calls_before * 1.5 * $soak_days * 86400000000 THEN 2
            WHEN came_later THEN 3
            WHEN taken_with_key THEN 4
            ELSE 5
        END AS standing
    FROM compared
),
matched AS (
    SELECT
        access_key_id,
        caller,
        max(last_used) AS last_used,
        NOT bool_and(key_is_quiet) AS recent,
        coalesce(bool_or(asks_for_tokens), false) AS asks_for_tokens,
        coalesce(max(array_length(kinds)), 0) > 0 AS works,
        min(standing) AS standing,
        first_value(fit ORDER BY standing, fit DESC, role_days DESC, role_arn) FILTER (WHERE standing > 0) AS best_fit,
        first_value(role_days ORDER BY standing, fit DESC, role_days DESC, role_arn) FILTER (WHERE standing > 0) AS role_days,
        first_value(role_arn ORDER BY standing, fit DESC, role_days DESC, role_arn) FILTER (WHERE standing > 0) AS best_role,
        array_sort(array_agg(concat(
            role_arn,
            CASE WHEN standing <> 4 THEN concat(' (', role_days, ' of ', $soak_days, ' days, ') ELSE ' (' END,
            CASE standing
                WHEN 1 THEN 'took over'
                WHEN 2 THEN 'grew as the key fell silent'
                WHEN 3 THEN 'came beside the key'
                WHEN 4 THEN 'taken with the key'
                ELSE 'there all along'
            END,
            ')'
        )) FILTER (WHERE standing > 0)) AS candidates,
        -- A role in use tells more than a user agent, which its sender chooses.
        min(coalesce(
            CASE WHEN standing <= 3 THEN way END,
            CASE
                WHEN on_lambda THEN 'lambda_role'
                WHEN on_ecs THEN 'ecs_task_role'
                WHEN on_ec2 THEN 'instance_profile'
                WHEN on_github THEN 'github_oidc'
                WHEN on_gitlab THEN 'gitlab_oidc'
                WHEN agent IN ('terraform', 'opentofu', 'pulumi', 'aws-cdk', 'ansible') THEN 'oidc'
                WHEN on_private_network THEN 'instance_profile'
                WHEN agent IN ('browser', 'console') THEN 'identity_center'
                WHEN agent = 'aws-cli' AND calls_off_hours = 0 THEN 'identity_center'
                WHEN standing <= 3 THEN 'role_in_use'
            END
        )) AS kind
    FROM ranked
    GROUP BY access_key_id, caller
),
callers AS (
    SELECT
        access_key_id,
        count(*) AS callers,
        sum(CASE WHEN standing <= 3 THEN 1 ELSE 0 END) AS callers_ready,
        sum(CASE WHEN kind IS NULL THEN 1 ELSE 0 END) AS callers_unclassified,
        bool_or(asks_for_tokens) AS user_only,
        bool_or(works) AS works,
        min(standing) AS standing,
        array_sort(array_agg(DISTINCT kind) FILTER (WHERE kind IS NOT NULL)) AS kinds,
        array_sort(array_distinct(flatten(array_agg(candidates) FILTER (WHERE candidates IS NOT NULL)))) AS candidates,
        first_value(best_role ORDER BY standing, best_fit DESC, role_days DESC, best_role) FILTER (WHERE standing > 0) AS best_role,
        first_value(best_fit ORDER BY standing, best_fit DESC, role_days DESC, best_role) FILTER (WHERE standing > 0) AS best_fit,
        array_sort(array_agg(concat(
            caller,
            CASE
                WHEN standing <= 3 THEN concat(' (also ', best_role, ' on ', role_days, ' of ', $soak_days, ' days)')
                WHEN standing = 4 THEN concat(' (takes ', best_role, ' with the key)')
                ELSE ' (key only)'
            END
        )) FILTER (WHERE recent)) AS callers_left,
        array_sort(array_agg(concat(caller, ' (', best_role, ' on ', role_days, ' of ', $soak_days, ' days)'))
            FILTER (WHERE NOT recent AND standing <= 3)) AS callers_moved
    FROM matched
    GROUP BY access_key_id
),
taken_lists AS (
    SELECT
        access_key_id,
        min(role_arn) AS taken_role,
        array_sort(array_agg(concat(role_arn, ' (taken with the key)'))) AS taken_roles
    FROM roles_taken
    GROUP BY access_key_id
)
