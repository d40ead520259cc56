-- title: roles
-- comment: One row per role that the logs name, taken, asked for or used; a role that was deleted and made again under
--   the same name has a row per unique id. Roles that only a change in IAM names are not here: see iam_changes
-- columns:
--   role: the role: its ARN, else account/name
--   role_arn: ARN of the role, with its path; null where only sessions were seen
--   role_account_id: account that owns the role
--   role_name: name of the role, without path
--   role_id: unique id of the role (AROA…); null where the records do not say which of several it was, or none
--   current: whether it is the role that has the name now, not one that was deleted since; null where nothing says
--   deleted_at: when the role of the name was deleted, where none was made since
--   service_linked: whether it is a service-linked role, which AWS alone may take
--   identity_center: whether it is made by an Identity Center permission set
--   last_assumed: last time that it was taken
--   last_assumed_by: who took it then
--   assumptions: times that it was taken
--   denied: times that it was asked for in vain; calls from other accounts are not in these logs
--   callers: who took it
--   methods: how it was taken
--   first_used: first record signed in one of its sessions
--   last_used: last record signed in one of its sessions
--   event_count: records signed in its sessions, as delivered
--   services: services called in its sessions

WITH taken AS (
    SELECT
        role_account_id,
        role_name,
        coalesce(split_part(role_id, ':', 1), known_role_id) AS role_id,
        max(coalesce(role_arn, known_role_arn)) AS role_arn,
        max(CASE WHEN outcome = 'success' THEN event_time END) AS last_assumed,
        last_value(caller ORDER BY outcome = 'success', event_time, event_id, caller)
            FILTER (WHERE outcome = 'success') AS last_assumed_by,
        sum(CASE WHEN outcome = 'success' THEN 1 ELSE 0 END) AS assumptions,
        sum(CASE WHEN outcome = 'success' THEN 0 ELSE 1 END) AS denied,
        array_sort(array_agg(DISTINCT caller) FILTER (WHERE outcome = 'success')) AS callers,
        array_sort(array_agg(DISTINCT method) FILTER (WHERE outcome = 'success')) AS methods
    FROM acts
    WHERE method IS NOT NULL AND role_name IS NOT NULL
    GROUP BY 1, 2, 3
),
used AS (
    SELECT
        coalesce(arn_account(role_arn), arn_account(principal_arn)) AS role_account_id,
        coalesce(arn_name(role_arn), arn_name(principal_arn)) AS role_name,
        split_part(role_id, ':', 1) AS role_id,
        max(role_arn) AS role_arn,
        min(first_time) AS first_used,
        max(last_time) AS last_used,
        sum(event_count) AS event_count,
        array_sort(array_agg(DISTINCT event_source)) AS services
    FROM activity
    WHERE (principal_type = 'AssumedRole' OR principal_arn LIKE '%:assumed-role/%')
        -- What the console writes of signing in and of switching carries neither key nor session: nobody signed it.
        AND (event_source <> 'signin.amazonaws.com' OR credential_kind <> 'none' OR session_created IS NOT NULL)
    GROUP BY 1, 2, 3
),
joined AS (
    SELECT
        coalesce(taken.role_account_id, used.role_account_id) AS role_account_id,
        coalesce(taken.role_name, used.role_name) AS role_name,
        coalesce(taken.role_id, used.role_id) AS role_id,
        coalesce(used.role_arn, taken.role_arn) AS role_arn,
        taken.last_assumed,
        taken.last_assumed_by,
        coalesce(taken.assumptions, 0) AS assumptions,
        coalesce(taken.denied, 0) AS denied,
        taken.callers,
        taken.methods,
        used.first_used,
        used.last_used,
        coalesce(used.event_count, 0) AS event_count,
        used.services
    FROM taken
    FULL JOIN used
        ON taken.role_account_id = used.role_account_id
        AND taken.role_name = used.role_name
        AND coalesce(taken.role_id, '') = coalesce(used.role_id, '')
    WHERE coalesce(taken.role_name, used.role_name) IS NOT NULL
)
SELECT
    coalesce(joined.role_arn, concat_ws('/', joined.role_account_id, joined.role_name)) AS role,
    joined.role_arn,
    joined.role_account_id,
    joined.role_name,
    joined.role_id,
    CASE WHEN deleted_at IS NOT NULL THEN false ELSE joined.role_id = current_role_id END AS current,
    deleted_at,
    coalesce(joined.role_arn LIKE '%:role/aws-service-role/%', joined.role_name LIKE 'AWSServiceRoleFor%') AS service_linked,
    joined.role_name LIKE 'AWSReservedSSO\_%' AS identity_center,
    last_assumed,
    last_assumed_by,
    assumptions,
    denied,
    callers,
    methods,
    first_used,
    last_used,
    event_count,
    services
FROM joined
LEFT JOIN known_roles ON joined.role_account_id = known_roles.role_account_id AND joined.role_name = known_roles.role_name
