-- title: access_keys
-- comment: One row per long-term access key that the logs name, by use or by an IAM change; keys that no record names
--   are not here, because only IAM knows them
-- columns:
--   access_key_id: the key (AKIA…)
--   account_id: account of its user
--   user_name: user that the key belongs to, by the latest name that its records carry; null for root
--   principal_arn: ARN of the user or root, by the latest name; for a key that was never used, the ARN that other
--     records give the user of that account and name, null where none does
--   principal_id: unique id of the user; for root, the account id; null for a key that was never used
--   created: when the logs show it being created; null where that was not seen
--   created_by: ARN of who created it
--   status: last status that an IAM change set: Active, Inactive or Deleted; null where none was seen
--   status_changed: when that status was set
--   first_used: first record signed with the key
--   last_used: last record signed with the key
--   days_used: days with a record signed with the key
--   event_count: records signed with the key, as delivered
--   error_count: those with an error
--   services: services called with the key
--   regions: regions called with the key
--   source_ips: addresses that the key was used from
--   user_agents: user agents that the key was used with
--   roles: roles taken with the key itself; those taken in sessions that it started are in sessions

WITH used AS (
    SELECT
        access_key_id,
        min(account_id) AS account_id,
        last_value(user_name ORDER BY last_time, user_name) FILTER (WHERE user_name IS NOT NULL) AS user_name,
        last_value(principal_arn ORDER BY last_time, principal_arn) FILTER (WHERE principal_arn IS NOT NULL)
            AS principal_arn,
        min(principal_id) AS principal_id,
        min(first_time) AS first_used,
        max(last_time) AS last_used,
        count(DISTINCT event_date) AS days_used,
        sum(event_count) AS event_count,
        sum(CASE WHEN error_code IS NOT NULL THEN event_count ELSE 0 END) AS error_count,
        array_sort(array_agg(DISTINCT event_source)) AS services,
        array_sort(array_agg(DISTINCT aws_region) FILTER (WHERE aws_region IS NOT NULL)) AS regions,
        array_sort(array_agg(DISTINCT source_ip) FILTER (WHERE source_ip IS NOT NULL)) AS source_ips,
        array_sort(array_agg(DISTINCT user_agent) FILTER (WHERE user_agent IS NOT NULL)) AS user_agents
    FROM activity
    WHERE credential_kind = 'long_term'
    GROUP BY access_key_id
),
changes AS (
    SELECT
        target_id AS access_key_id,
        last_value(target_name ORDER BY event_time, target_name) FILTER (WHERE target_name IS NOT NULL) AS user_name,
        min(recipient_account_id) AS account_id,
        min(CASE WHEN event_name = 'CreateAccessKey' THEN event_time END) AS created,
        min(CASE WHEN event_name = 'CreateAccessKey' THEN actor_arn END) AS created_by,
        last_value(
            CASE event_name WHEN 'CreateAccessKey' THEN 'Active' WHEN 'DeleteAccessKey' THEN 'Deleted' ELSE status END
            -- Times are whole seconds; within one, a key is made before it is changed, and deleted last.
            ORDER BY
                event_time,
                CASE event_name WHEN 'CreateAccessKey' THEN 0 WHEN 'UpdateAccessKey' THEN 1 ELSE 2 END,
                event_id,
                log_file,
                record_index
        ) AS status,
        max(event_time) AS status_changed
    FROM iam_changes
    WHERE target_type = 'access_key'
        AND outcome = 'success'
        AND target_id LIKE 'AKIA%'
        AND event_name IN ('CreateAccessKey', 'DeleteAccessKey', 'UpdateAccessKey')
    GROUP BY target_id
),
seen_users AS (
    SELECT principal_arn AS arn, max(last_time) AS last_seen
    FROM activity
    WHERE principal_arn LIKE '%:user/%'
    GROUP BY principal_arn
    UNION ALL
    SELECT target_arn, max(event_time)
    FROM iam_changes
    WHERE target_type = 'user' AND outcome = 'success' AND target_arn IS NOT NULL
    GROUP BY target_arn
),
users AS (
    SELECT
        arn_account(arn) AS account_id,
        arn_name(arn) AS user_name,
        last_value(arn ORDER BY last_seen, arn) AS principal_arn
    FROM seen_users
    GROUP BY 1, 2
),
roles_taken AS (
    SELECT caller_access_key_id AS access_key_id, array_sort(array_agg(DISTINCT role)) AS roles
    FROM acts
    WHERE caller_access_key_id LIKE 'AKIA%' AND method IS NOT NULL AND outcome = 'success' AND role IS NOT NULL
    GROUP BY caller_access_key_id
)
SELECT
    coalesce(used.access_key_id, changes.access_key_id) AS access_key_id,
    coalesce(used.account_id, changes.account_id) AS account_id,
    -- A root record's user name is the alias of its account.
    CASE
        WHEN used.principal_arn LIKE '%:root' OR changes.user_name = '<root_account>' THEN NULL
        ELSE coalesce(used.user_name, changes.user_name)
    END AS user_name,
    coalesce(used.principal_arn, users.principal_arn) AS principal_arn,
    used.principal_id,
    changes.created,
    changes.created_by,
    changes.status,
    changes.status_changed,
    used.first_used,
    used.last_used,
    coalesce(used.days_used, 0) AS days_used,
    coalesce(used.event_count, 0) AS event_count,
    coalesce(used.error_count, 0) AS error_count,
    used.services,
    used.regions,
    used.source_ips,
    used.user_agents,
    roles_taken.roles
FROM used
FULL JOIN changes ON used.access_key_id = changes.access_key_id
LEFT JOIN users ON changes.account_id = users.account_id AND changes.user_name = users.user_name
LEFT JOIN roles_taken ON coalesce(used.access_key_id, changes.access_key_id) = roles_taken.access_key_id
