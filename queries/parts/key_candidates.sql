-- title: Which roles could take over from each caller of a key
-- comment: One row per key and caller in matched, with the role that fits best, and in callers one per key. A role is matched
--   to a caller by program and place, in what was done there without any key. It must have been used so on two days at
--   least, and have made half of the caller's own kinds of call from that place; calls to STS and refused ones are no kinds of
--   work. Hosted CI is no place in which to look, since everybody is there; so, and for whoever moved elsewhere, a role counts
--   that the same program came with later, from wherever: only if the caller has three kinds of work at least, four in five of
--   them are among the role's (half, where the user's own name takes the role), which has at most twice as many, and the
--   calls with the key stopped. A role that was in use when the window began is looked for at the keys' own addresses alone.
--   standing ranks them; only up to 3 does it say that the caller can do without the key.
--     1 it came later than the key's calls, and they stopped: in the same place, or (elsewhere) the same work from another
--     2 its calls grew by half when the key's stopped
--     3 it came later, beside them
--     4 it is taken with the key itself
--     5 it ran there all along, and may be another job's
--   own: somebody of the user's name takes the role (session name, source identity, or the name that its identity provider
--   signed in). For a person's program that goes before standing: others of the office share its address. What only machines
--   take is not for a person's program. Lists are cut to twenty; callers_left_count and callers_moved_count are whole.
--   For a report with access_key, soak_days and tz.
-- with: key_workloads, key_sessions

key_addresses AS (
    SELECT DISTINCT source_ip AS address
    FROM activity
    WHERE source_ip IS NOT NULL
        AND last_time >= $from
        AND first_time < least($to, $as_of)
        AND (
            credential_kind = 'long_term'
            OR (credential_kind = 'temporary' AND principal_type IN ('IAMUser', 'FederatedUser', 'Root'))
        )
),
-- Roles in use lately and not on the first day: two ends of the window are read, not all of it.
new_roles AS (
    SELECT recent.role_arn AS new_role
    FROM (
        SELECT DISTINCT role_arn
        FROM activity
        WHERE principal_type = 'AssumedRole'
            AND role_arn IS NOT NULL
            AND event_date >= arrow_cast(
                arrow_cast($as_of, 'Timestamp(Microsecond, Some("UTC"))') - arrow_cast($soak_days * 86400000000, 'Duration(Microsecond)'),
                'Date32'
            )
            AND first_time < least($to, $as_of)
    ) AS recent
    LEFT ANTI JOIN (
        SELECT role_arn
        FROM activity
        WHERE principal_type = 'AssumedRole'
            AND role_arn IS NOT NULL
            AND event_date >= arrow_cast($from, 'Date32')
            AND event_date <= arrow_cast(arrow_cast($from, 'Timestamp(Microsecond, Some("UTC"))') + INTERVAL '1 day', 'Date32')
            AND first_time < arrow_cast($from, 'Timestamp(Microsecond, Some("UTC"))') + INTERVAL '1 day'
    ) AS old
        ON recent.role_arn = old.role_arn
),
-- At the keys' addresses any role, and what came new wherever it is.
role_records AS (
    SELECT
        false AS is_new,
        source_ip,
        user_agent,
        role_arn,
        event_source,
        event_name,
        error_code,
        access_key_id,
        event_date,
        first_time,
        last_time,
        event_count
    FROM key_addresses
    RIGHT SEMI JOIN activity ON address = source_ip
    WHERE principal_type = 'AssumedRole'
        AND role_arn IS NOT NULL
        AND last_time >= $from
        AND first_time < least($to, $as_of)
    UNION ALL
    SELECT
        true AS is_new,
        source_ip,
        user_agent,
        role_arn,
        event_source,
        event_name,
        error_code,
        access_key_id,
        event_date,
        first_time,
        last_time,
        event_count
    FROM new_roles
    RIGHT SEMI JOIN activity ON new_role = role_arn
    WHERE principal_type = 'AssumedRole'
        AND source_ip IS NOT NULL
        AND last_time >= $from
        AND first_time < least($to, $as_of)
),
-- Its days and kinds of call are lists, since as groups they would be as many as there are rows.
role_calls AS (
    SELECT
        is_new,
        source_ip,
        user_agent,
        role_arn,
        without_key,
        min(first_time) AS first_time,
        max(last_time) AS last_time,
        array_agg(DISTINCT event_date) AS days,
        array_agg(DISTINCT event_date) FILTER (WHERE lately) AS days_lately,
        array_agg(DISTINCT concat(event_source, ':', event_name))
            FILTER (WHERE event_source <> 'sts.amazonaws.com' AND error_code IS NULL) AS kinds,
        coalesce(sum(event_count) FILTER (WHERE lately), 0) AS calls_lately,
        coalesce(sum(event_count) FILTER (WHERE NOT lately), 0) AS calls_before
    FROM (
        SELECT
            used.*,
            used.first_time >= arrow_cast($as_of, 'Timestamp(Microsecond, Some("UTC"))')
                - arrow_cast($soak_days * 86400000000, 'Duration(Microsecond)') AS lately,
            -- A role that was taken with a key shows nothing of doing without the key.
            issued_key_id IS NULL AS without_key
        -- The few sessions of keys on the left: a join holds its left side in memory.
        FROM from_keys
        RIGHT JOIN role_records AS used
            ON from_keys.issued_key_id = used.access_key_id
            AND used.last_time >= from_keys.issued_time
            AND used.first_time <= from_keys.expires
    ) AS signed
    GROUP BY 1, 2, 3, 4, 5
),
-- In each place, and of what came new once more as if all were one place (*).
role_use AS (
    SELECT
        looked_at,
        agent,
        role_arn,
        min(first_time) FILTER (WHERE without_key) AS role_first,
        max(last_time) FILTER (WHERE without_key) AS role_last,
        coalesce(array_length(array_distinct(flatten(array_agg(days) FILTER (WHERE without_key)))), 0) AS days_seen,
        coalesce(array_length(array_distinct(flatten(array_agg(days_lately) FILTER (WHERE without_key AND days_lately IS NOT NULL)))), 0)
            AS role_days,
        coalesce(sum(calls_lately) FILTER (WHERE without_key), 0) AS calls_lately,
        coalesce(sum(calls_before) FILTER (WHERE without_key), 0) AS calls_before,
        array_distinct(flatten(array_agg(kinds) FILTER (WHERE kinds IS NOT NULL AND (without_key OR looked_at <> '*')))) AS kinds_made
    FROM (
        SELECT
            *,
            coalesce(agent_family(user_agent), '') AS agent,
            unnest(CASE WHEN is_new THEN make_array(network_place(source_ip), '*') ELSE make_array(network_place(source_ip)) END)
                AS looked_at
        FROM (SELECT *, bool_or(is_new) OVER (PARTITION BY role_arn) AS is_read_whole FROM role_calls) AS read_twice
        WHERE is_new OR NOT is_read_whole
    ) AS placed
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
-- Users with keys who take a role by their own name, or by an address of theirs.
role_persons AS (
    SELECT DISTINCT role_arn AS own_role, own_name
    FROM (SELECT DISTINCT lower(split_part(user_name, '@', 1)) AS own_name FROM iam_access_keys) AS users
    JOIN (
        SELECT
            role_arn,
            unnest(make_array(
                session_name,
                source_identity,
                CASE WHEN event_name = 'AssumeRoleWithSAML' THEN federated_subject END
            )) AS name
        FROM credential_events
        WHERE outcome = 'success' AND role_arn IS NOT NULL AND event_time >= $from AND event_time < least($to, $as_of)
    ) AS named
        ON own_name = lower(split_part(name, '@', 1))
    WHERE own_name <> ''
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
        agent IN ('browser', 'console')
            OR (agent = 'aws-cli' AND NOT (on_lambda OR on_ecs OR on_ec2 OR on_ci OR on_private_network)) AS of_a_person,
        coalesce(arrow_cast(array_length(kinds), 'Int64'), 0) AS distinct_kinds
    FROM (
        SELECT
            access_key_id,
            coalesce(place, '') AS place,
            coalesce(agent, '') AS agent,
            caller,
            lower(split_part(arn_name(max(user_arn)), '@', 1)) AS own_name,
            min(first_used) AS first_used,
            max(last_used) AS last_used,
            arrow_cast(array_length(array_distinct(flatten(array_agg(days)))), 'Int64') AS days_used,
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
            bool_or(coalesce(network_kind = 'ci', false)) AS on_ci,
            bool_or(coalesce(network_kind = 'ci', false) OR roams) AS anywhere,
            bool_and(on_private_network) AS on_private_network
        FROM key_callers
        WHERE ($access_key IS NULL OR access_key_id = $access_key) AND caller IS NOT NULL
        GROUP BY 1, 2, 3, 4
    ) AS seen
),
compared AS (
    SELECT
        workloads.*,
        role_use.* EXCEPT (looked_at, agent, kinds_made),
        workloads.looked_at = '*' AS elsewhere,
        roles_taken.role_arn IS NOT NULL AS taken_with_key,
        own_role IS NOT NULL AS own,
        coalesce(of_machines, false) AND of_a_person AS not_for_people,
        way,
        coalesce(arrow_cast(array_length(array_intersect(workloads.kinds, kinds_made)), 'Int64'), 0) AS kinds_shared,
        -- Of a caller that does nothing but take roles, whatever the role is seen doing is its work.
        CASE
            WHEN distinct_kinds > 0
                THEN coalesce(array_length(array_intersect(workloads.kinds, kinds_made)), 0) / arrow_cast(distinct_kinds, 'Float64')
            WHEN roles_taken.role_arn IS NOT NULL THEN 1.0
        END AS fit,
        -- Later by a day, and by a tenth of the time in which either is seen.
        arrow_cast(role_first, 'Int64') - arrow_cast(workloads.first_used, 'Int64') >= greatest(
            86400000000,
            (arrow_cast(greatest(role_last, workloads.last_used), 'Int64') - arrow_cast(workloads.first_used, 'Int64')) / 10
        ) AS came_later,
        -- At most half of the role's time lies before the key's last call.
        arrow_cast(workloads.last_used, 'Int64') - arrow_cast(role_first, 'Int64')
            <= (arrow_cast(role_last, 'Int64') - arrow_cast(role_first, 'Int64')) / 2 AS key_stopped,
        -- Or the key has been silent for three days, and for two and a half times what it usually pauses.
        arrow_cast(role_last, 'Int64') - arrow_cast(workloads.last_used, 'Int64') >= greatest(
            3 * 86400000000,
            (arrow_cast(workloads.last_used, 'Int64') - arrow_cast(workloads.first_used, 'Int64')) * 2.5 / greatest(days_used - 1, 1)
        ) AS key_is_missed,
        workloads.last_used < arrow_cast($as_of, 'Timestamp(Microsecond, Some("UTC"))')
            - arrow_cast($soak_days * 86400000000, 'Duration(Microsecond)') AS key_is_quiet
    FROM (
        SELECT *, unnest(CASE WHEN anywhere THEN make_array('*') ELSE make_array(place, '*') END) AS looked_at
        FROM workloads
    ) AS workloads
    LEFT JOIN role_use
        ON workloads.looked_at = role_use.looked_at
        AND workloads.agent = role_use.agent
        AND workloads.agent <> ''
        -- Before any lists are compared: most roles are out of the question.
        AND (
            role_use.looked_at <> '*'
            OR (
                distinct_kinds >= 3
                AND array_length(kinds_made) <= distinct_kinds * 2
                AND days_seen >= 2
                AND role_first > workloads.first_used
                AND role_last > workloads.last_used
                -- A role that came long after the calls stopped is no answer to that.
                AND role_first <= workloads.last_used + arrow_cast($soak_days * 86400000000, 'Duration(Microsecond)')
            )
        )
    LEFT JOIN roles_taken
        ON workloads.access_key_id = roles_taken.access_key_id
        AND role_use.role_arn = roles_taken.role_arn
    LEFT JOIN role_ways ON role_use.role_arn = role_ways.role_arn
    LEFT JOIN role_persons ON role_use.role_arn = own_role AND workloads.own_name = role_persons.own_name
),
judged_roles AS (
    SELECT
        *,
        CASE
            WHEN elsewhere THEN CASE
                WHEN came_later AND (key_stopped OR key_is_missed) AND NOT not_for_people AND fit >= CASE WHEN own THEN 0.5 ELSE 0.8 END
                    THEN 1
            END
            WHEN coalesce(fit, 0) < 0.5 THEN NULL
            WHEN days_seen < 2 OR not_for_people OR (role_days = 0 AND role_last < last_used)
                THEN CASE WHEN taken_with_key THEN 4 END
            WHEN came_later AND key_stopped THEN 1
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
-- A role that is seen here and elsewhere is one candidate.
ranked AS (
    SELECT
        *,
        concat(
            CASE WHEN fit >= 1 THEN 'same ' ELSE concat(kinds_shared, ' of ') END,
            counted(distinct_kinds, 'action'),
            ' with ',
            role_arn,
            ' since ',
            to_char(role_first, '%Y-%m-%d'),
            ', none with the key for ',
            counted(days_between(last_used, role_last), 'day')
        ) AS moved_so,
        own AND of_a_person AS comes_first
    FROM (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY access_key_id, caller, role_arn
                ORDER BY coalesce(standing, 9), elsewhere
            ) AS place_in_line
        FROM judged_roles
    ) AS lined_up
    WHERE place_in_line = 1
),
matched AS (
    SELECT
        access_key_id,
        caller,
        max(last_used) AS last_used,
        NOT bool_and(key_is_quiet) AS recent,
        coalesce(bool_or(asks_for_tokens), false) AS asks_for_tokens,
        coalesce(max(distinct_kinds), 0) > 0 AS works,
        coalesce(bool_or(comes_first) FILTER (WHERE standing > 0), false) AS comes_first,
        first_value(standing ORDER BY comes_first DESC, standing, elsewhere, own DESC, fit DESC, role_days DESC, role_arn)
            FILTER (WHERE standing > 0) AS standing,
        first_value(fit ORDER BY comes_first DESC, standing, elsewhere, own DESC, fit DESC, role_days DESC, role_arn)
            FILTER (WHERE standing > 0) AS best_fit,
        first_value(role_days ORDER BY comes_first DESC, standing, elsewhere, own DESC, fit DESC, role_days DESC, role_arn)
            FILTER (WHERE standing > 0) AS role_days,
        first_value(role_arn ORDER BY comes_first DESC, standing, elsewhere, own DESC, fit DESC, role_days DESC, role_arn)
            FILTER (WHERE standing > 0) AS best_role,
        first_value(
            CASE WHEN elsewhere THEN moved_so ELSE concat(role_arn, ' on ', role_days, ' of ', $soak_days, ' days') END
            ORDER BY comes_first DESC, standing, elsewhere, own DESC, fit DESC, role_days DESC, role_arn
        ) FILTER (WHERE standing > 0) AS best_words,
        first_value(elsewhere ORDER BY comes_first DESC, standing, elsewhere, own DESC, fit DESC, role_days DESC, role_arn)
            FILTER (WHERE standing > 0) AS best_elsewhere,
        first_value(way ORDER BY comes_first DESC, standing, elsewhere, own DESC, fit DESC, role_days DESC, role_arn)
            FILTER (WHERE standing > 0) AS best_way,
        array_sort(array_agg(concat(
            role_arn,
            CASE
                WHEN elsewhere THEN concat(' (', replace(moved_so, concat(' with ', role_arn), ' elsewhere'))
                WHEN standing <> 4 THEN concat(' (', role_days, ' of ', $soak_days, ' days, ')
                ELSE ' ('
            END,
            CASE
                WHEN elsewhere THEN ''
                WHEN standing = 1 THEN 'took over'
                WHEN standing = 2 THEN 'grew as the key fell silent'
                WHEN standing = 3 THEN 'came beside the key'
                WHEN standing = 4 THEN 'taken with the key'
                ELSE 'there all along'
            END,
            CASE WHEN own THEN ', by the user''s own name' ELSE '' END,
            ')'
        )) FILTER (WHERE standing > 0)) AS candidates,
        min(
            CASE
                WHEN on_lambda THEN 'lambda_role'
                WHEN on_ecs THEN 'ecs_task_role'
                WHEN on_ec2 THEN 'instance_profile'
                WHEN on_github THEN 'github_oidc'
                WHEN on_gitlab THEN 'gitlab_oidc'
                WHEN on_ci OR agent IN ('terraform', 'opentofu', 'pulumi', 'aws-cdk', 'ansible') THEN 'oidc'
                WHEN on_private_network THEN 'instance_profile'
                WHEN agent IN ('browser', 'console') THEN 'identity_center'
                WHEN agent = 'aws-cli' AND calls_off_hours = 0 THEN 'identity_center'
            END
        ) AS program_kind
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
        first_value(standing ORDER BY comes_first DESC, standing, best_fit DESC, role_days DESC, best_role) FILTER (WHERE standing > 0)
            AS standing,
        array_sort(array_agg(DISTINCT kind) FILTER (WHERE kind IS NOT NULL)) AS kinds,
        listed(array_sort(array_distinct(flatten(array_agg(candidates) FILTER (WHERE candidates IS NOT NULL)))), 20) AS candidates,
        first_value(best_role ORDER BY comes_first DESC, standing, best_fit DESC, role_days DESC, best_role) FILTER (WHERE standing > 0)
            AS best_role,
        first_value(best_fit ORDER BY comes_first DESC, standing, best_fit DESC, role_days DESC, best_role) FILTER (WHERE standing > 0)
            AS best_fit,
        count(*) FILTER (WHERE recent) AS callers_left_count,
        count(*) FILTER (WHERE NOT recent AND standing <= 3) AS callers_moved_count,
        listed(array_sort(array_agg(concat(
            caller,
            CASE
                WHEN standing <= 3 AND best_elsewhere THEN concat(' (', best_words, ')')
                WHEN standing <= 3 THEN concat(' (also ', best_words, ')')
                WHEN standing = 4 THEN concat(' (takes ', best_role, ' with the key)')
                ELSE ' (key only)'
            END
        )) FILTER (WHERE recent)), 20) AS callers_left,
        listed(array_sort(array_agg(concat(caller, ' (', best_words, ')')) FILTER (WHERE NOT recent AND standing <= 3)), 20)
            AS callers_moved
    FROM (
        SELECT
            *,
            -- A role in use tells more than a user agent, which its sender chooses.
            coalesce(CASE WHEN standing <= 3 THEN best_way END, program_kind, CASE WHEN standing <= 3 THEN 'role_in_use' END) AS kind
        FROM matched
    ) AS known
    GROUP BY access_key_id
),
taken_lists AS (
    SELECT
        access_key_id,
        min(role_arn) AS taken_role,
        listed(array_sort(array_agg(concat(role_arn, ' (taken with the key)'))), 20) AS taken_roles
    FROM roles_taken
    GROUP BY access_key_id
)
