-- title: Unused roles
-- question: Which roles can be deleted, and how?
-- with: held, inventory_then
-- params:
--   as_of: timestamp = now; the answer's "now": inventory, logs and ages as they were then; to counts from it
--   days: integer = 90; the window before to over which coverage is counted; older uses count as uses too
--   from: timestamp = null; start of the window, instead of days
--   to: timestamp = null; end of the window; as_of if not given. The last use counts until as_of
--   account: text = null; only this account
--   role: text = null; only this role: ARN, account/name, or name
--   threshold_days: integer = 90; a role that has been idle for more days than this is unused
--   grace_days: integer = 30; a role that was never used and is younger than this is not yet called unused
--   max_inventory_days: integer = 7; an inventory older than this proves no idleness
--   protected: text = null; roles that stay whatever: ARNs, account/name or names, separated by commas; so does a role with
--     the tag rolecall:protected
-- columns:
--   account_id: account of the role
--   role: its name
--   role_arn: its ARN, with its path
--   role_id: its unique id (AROA…)
--   state: USED; UNUSED; NEVER_USED_YOUNG; NEVER_USED_OLD; SLR (service-linked: its service alone can let go of it); SSO_RESERVED
--     (made by an Identity Center permission set); PROTECTED; INSUFFICIENT_COVERAGE (what is known is not enough, see reasons)
--   created: when it was made
--   age_days: whole days since then
--   last_used: last use, by IAM or in the logs, or last time taken, whichever is latest
--   iam_last_used: last use as IAM knows it; it looks back 400 days
--   ct_last_used: last record in the logs that one of its sessions signed
--   last_assumed: last time that it was taken, in the logs
--   last_assumed_by: who took it then
--   days_idle: whole days since the later of created and last_used
--   trust_summary: who may take it, as its trust policy says
--   instance_profiles: instance profiles that hold it
--   attachments: policies that are attached to it or written into it
--   delete_method: how it is deleted, where it may be
--   inventory_time: when the inventory of the account's roles was taken
--   confidence: high, medium or low
--   reason_codes: what the state rests on, and what is not known
--   reasons: the same in words
--   coverage: days of the window that the account's logs cover, 0 to 1
--   evidence_event_ids: event ids to look up: last use, last time taken
-- findings: state in (UNUSED, NEVER_USED_OLD)
-- subject: role_arn
-- key: account_id, role, role_id
-- watch: trust_summary, instance_profiles
-- screen: account_id, role, state, days_idle, last_used, last_assumed_by, reasons
-- pitfall: A role that was deleted and made again has the same ARN and another id: what its predecessor did is no use of it. And
--   what stands by for a function, a task or a stack is not looked for: only instance profiles are in the inventory.

WITH role_inventory AS (
    SELECT iam_roles.*
    FROM iam_roles
    JOIN inventory_then
        ON iam_roles.snapshot_id = inventory_then.snapshot_id
        AND iam_roles.account_id = inventory_then.account_id
        AND inventory_then.part = 'roles'
),
role_uses AS (
    SELECT
        coalesce(arn_account(role_arn), arn_account(session_arn)) AS account_id,
        coalesce(arn_name(role_arn), arn_name(session_arn)) AS role_name,
        role_id,
        max(role_arn) AS role_arn,
        max(last_used) AS last_used,
        last_value(event_id ORDER BY last_used, event_id) AS event_id
    FROM (
        SELECT
            role_arn,
            split_part(role_id, ':', 1) AS role_id,
            CASE WHEN role_arn IS NULL THEN principal_arn END AS session_arn,
            max(least(last_time, $as_of)) AS last_used,
            last_value(sample_event_id ORDER BY last_time, sample_event_id) AS event_id
        FROM activity
        WHERE first_time < $as_of
            AND (principal_type = 'AssumedRole' OR principal_arn LIKE '%:assumed-role/%')
            -- What the console writes of signing in and of switching carries neither key nor session: nobody signed it.
            AND (event_source <> 'signin.amazonaws.com' OR credential_kind <> 'none' OR session_created IS NOT NULL)
        GROUP BY 1, 2, 3
    ) AS sessions_of_role
    GROUP BY 1, 2, 3
),
role_taken AS (
    SELECT
        account_id,
        role_name,
        role_id,
        max(role_arn) AS role_arn,
        max(event_time) AS last_assumed,
        -- Of the two copies of a call between accounts, that which names the caller.
        last_value(caller ORDER BY event_time, named, event_id, caller) AS last_assumed_by,
        last_value(event_id ORDER BY event_time, named, event_id, caller) AS event_id
    FROM (
        SELECT
            role_account_id AS account_id,
            role_name,
            split_part(role_id, ':', 1) AS role_id,
            role_arn,
            event_time,
            event_id,
            coalesce(caller_arn, switch_from) IS NOT NULL AS named,
            CASE
                WHEN event_name = 'SwitchRole' THEN coalesce(switch_from, 'unknown')
                WHEN federated_subject IS NOT NULL
                    THEN concat_ws('/', coalesce(arn_name(identity_provider), identity_provider), federated_subject)
                ELSE coalesce(
                    caller_issuer_arn,
                    caller_arn,
                    caller_invoked_by,
                    nullif(concat_ws('/', caller_account_id, split_part(caller_principal_id, ':', 1)), ''),
                    source_service
                )
            END AS caller
        FROM credential_events
        WHERE outcome = 'success'
            AND role_name IS NOT NULL
            AND event_time < $as_of
            AND event_name IN (
                'AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity', 'CreateSession', 'SwitchRole'
            )
    ) AS taken
    GROUP BY account_id, role_name, role_id
),
role_changes AS (
    SELECT
        coalesce(arn_account(target_arn), recipient_account_id) AS account_id,
        target_name AS role_name,
        max(CASE WHEN event_name LIKE 'Delete%' THEN event_time END) AS deleted,
        max(CASE WHEN event_name LIKE 'Create%' THEN event_time END) AS made
    FROM iam_changes
    WHERE target_type = 'role'
        AND outcome = 'success'
        AND event_time < $as_of
        AND event_name IN ('CreateRole', 'CreateServiceLinkedRole', 'DeleteRole', 'DeleteServiceLinkedRole')
    GROUP BY 1, 2
),
role_logs AS (
    SELECT
        coalesce(used.account_id, taken.account_id) AS account_id,
        coalesce(used.role_name, taken.role_name) AS role_name,
        coalesce(used.role_id, taken.role_id) AS role_id,
        coalesce(used.role_arn, taken.role_arn) AS role_arn,
        used.last_used,
        used.event_id AS use_event_id,
        taken.last_assumed,
        taken.last_assumed_by,
        taken.event_id AS taken_event_id
    FROM role_uses AS used
    FULL JOIN role_taken AS taken
        ON used.account_id = taken.account_id
        AND used.role_name = taken.role_name
        AND coalesce(used.role_id, '') = coalesce(taken.role_id, '')
),
-- What the logs tell of the role's name: is it the role, or another that had the name before?
role_pairs AS (
    SELECT
        coalesce(kept.account_id, logged.account_id) AS account_id,
        coalesce(kept.role_name, logged.role_name) AS role_name,
        kept.* EXCEPT (account_id, role_name),
        logged.role_arn AS logged_arn,
        logged.role_id AS logged_id,
        logged.last_used AS logged_use,
        logged.last_assumed,
        logged.last_assumed_by,
        logged.use_event_id,
        logged.taken_event_id,
        logged.account_id IS NOT NULL AND CASE
            WHEN kept.snapshot_id IS NULL THEN true
            -- What another of that name did after the inventory, a role did that has its place now.
            WHEN logged.role_id IS NOT NULL AND kept.role_id IS NOT NULL
                THEN logged.role_id = kept.role_id
                    OR coalesce(greatest(logged.last_used, logged.last_assumed) > kept.snapshot_time, false)
            ELSE coalesce(greatest(logged.last_used, logged.last_assumed) >= kept.created, true)
        END AS own
    FROM role_inventory AS kept
    FULL JOIN role_logs AS logged ON kept.account_id = logged.account_id AND kept.role_name = logged.role_name
),
role_rows AS (
    SELECT
        * EXCEPT (last_assumed, last_assumed_by, use_event_id, taken_event_id),
        max(CASE WHEN own THEN logged_use END) OVER same_name AS ct_last_used,
        max(CASE WHEN own THEN last_assumed END) OVER same_name AS last_assumed,
        first_value(CASE WHEN own THEN last_assumed_by END) OVER by_taking AS last_assumed_by,
        first_value(CASE WHEN own THEN taken_event_id END) OVER by_taking AS taken_event_id,
        first_value(CASE WHEN own THEN use_event_id END) OVER by_use AS use_event_id,
        bool_or(logged_id IS NOT NULL AND NOT own) OVER same_name AS had_predecessor,
        bool_or(coalesce(own AND logged_id <> role_id, false)) OVER same_name AS has_successor,
        row_number() OVER by_use AS place
    FROM role_pairs
    WINDOW
        same_name AS (PARTITION BY account_id, role_name),
        by_use AS (
            PARTITION BY account_id, role_name
            ORDER BY own DESC, CASE WHEN own THEN logged_use END DESC NULLS LAST, logged_id, logged_arn
        ),
        by_taking AS (
            PARTITION BY account_id, role_name
            ORDER BY own DESC, CASE WHEN own THEN last_assumed END DESC NULLS LAST, logged_id, logged_arn
        )
),
role_snapshots AS (
    SELECT account_id, snapshot_time AS inventory_time FROM inventory_then WHERE part = 'roles'
),
trust AS (
    SELECT
        iam_trust_statements.account_id,
        role_name,
        array_to_string(array_sort(array_agg(DISTINCT concat(
            CASE WHEN effect = 'Deny' THEN 'Deny ' ELSE '' END,
            CASE WHEN negated THEN 'all but ' ELSE '' END,
            principal_type,
            ' ',
            principal,
            CASE WHEN condition IS NOT NULL THEN ' (on conditions)' ELSE '' END
        ))), '; ') AS trust_summary,
        bool_or(principal_type = 'AWS' AND substr(principal, 1, 4) IN ('AROA', 'AIDA')) AS trusts_the_dead
    FROM iam_trust_statements
    JOIN inventory_then
        ON iam_trust_statements.snapshot_id = inventory_then.snapshot_id
        AND iam_trust_statements.account_id = inventory_then.account_id
        AND inventory_then.part = 'trust_statements'
    GROUP BY iam_trust_statements.account_id, role_name
),
attached AS (
    SELECT
        iam_attachments.account_id,
        principal_name,
        array_sort(array_agg(DISTINCT coalesce(policy_name, policy_arn))) AS attachments
    FROM iam_attachments
    JOIN inventory_then
        ON iam_attachments.snapshot_id = inventory_then.snapshot_id
        AND iam_attachments.account_id = inventory_then.account_id
        AND inventory_then.part = 'attachments'
    WHERE principal_type = 'role' AND kind <> 'boundary'
    GROUP BY iam_attachments.account_id, principal_name
),
facts AS (
    SELECT
        role_rows.account_id,
        role_rows.role_name AS role,
        coalesce(role_rows.role_arn, logged_arn) AS role_arn,
        coalesce(role_rows.role_id, logged_id) AS role_id,
        role_rows.snapshot_id IS NOT NULL AS in_inventory,
        coalesce(
            service_linked,
            coalesce(role_rows.role_arn, logged_arn) LIKE '%:role/aws-service-role/%',
            role_rows.role_name LIKE 'AWSServiceRoleFor%'
        ) AS service_linked,
        coalesce(identity_center, role_rows.role_name LIKE 'AWSReservedSSO\_%') AS identity_center,
        coalesce(array_element(map_extract(tags, 'rolecall:protected'), 1) <> 'false', false)
            OR coalesce(array_has(string_to_array(replace($protected, ' ', ''), ','), role_rows.role_name), false)
            OR coalesce(array_has(string_to_array(replace($protected, ' ', ''), ','), role_rows.role_arn), false)
            OR coalesce(
                array_has(
                    string_to_array(replace($protected, ' ', ''), ','),
                    concat(role_rows.account_id, '/', role_rows.role_name)
                ),
                false
            ) AS protected,
        role_rows.created,
        days_between(role_rows.created, $as_of) AS age_days,
        -- A last use before the role was made is its predecessor's.
        CASE WHEN role_rows.last_used < role_rows.created THEN NULL ELSE role_rows.last_used END AS iam_last_used,
        coalesce(last_used_known, false) AS iam_last_used_known,
        ct_last_used,
        last_assumed,
        last_assumed_by,
        instance_profiles,
        had_predecessor,
        has_successor,
        use_event_id,
        taken_event_id,
        role_snapshots.inventory_time,
        days_between(role_snapshots.inventory_time, $as_of) AS inventory_age_days,
        inventory_later.account_id IS NOT NULL AS inventory_is_later,
        coalesce(held.coverage, 0.0) AS coverage,
        held.held_from,
        trust_summary,
        coalesce(trusts_the_dead, false) AS trusts_the_dead,
        attachments
    FROM role_rows
    LEFT JOIN role_snapshots ON role_rows.account_id = role_snapshots.account_id
    LEFT JOIN inventory_later ON role_rows.account_id = inventory_later.account_id
    LEFT JOIN held ON role_rows.account_id = held.account_id
    LEFT JOIN trust ON role_rows.account_id = trust.account_id AND role_rows.role_name = trust.role_name
    LEFT JOIN attached ON role_rows.account_id = attached.account_id AND role_rows.role_name = attached.principal_name
    LEFT JOIN role_changes ON role_rows.account_id = role_changes.account_id AND role_rows.role_name = role_changes.role_name
    WHERE place = 1
        AND ($account IS NULL OR role_rows.account_id = $account)
        AND role_is(role_rows.account_id, role_rows.role_name, $role)
        -- A role of an account of which nothing else is known is somebody else's.
        AND (role_snapshots.account_id IS NOT NULL OR held.account_id IS NOT NULL)
        -- Gone, and not made again.
        AND NOT coalesce(
            deleted > coalesce(made, arrow_cast(0, 'Timestamp(Microsecond, Some("UTC"))'))
            AND deleted >= coalesce(snapshot_time, ct_last_used, last_assumed, deleted),
            false
        )
),
idle AS (
    SELECT
        *,
        greatest(iam_last_used, ct_last_used, last_assumed) AS last_used,
        days_between(greatest(created, iam_last_used, ct_last_used, last_assumed), $as_of) AS days_idle,
        -- Where the logs do not cover the days since, IAM's silence counts only until it was asked.
        days_between(
            greatest(created, iam_last_used, ct_last_used, last_assumed),
            CASE WHEN coverage >= 0.9 THEN $as_of ELSE least($as_of, inventory_time) END
        ) AS days_idle_vouched
    FROM facts
),
judged AS (
    SELECT
        *,
        CASE
            WHEN service_linked THEN 'SLR'
            WHEN identity_center THEN 'SSO_RESERVED'
            WHEN protected THEN 'PROTECTED'
            WHEN last_used IS NOT NULL AND days_idle <= $threshold_days THEN 'USED'
            WHEN NOT in_inventory OR inventory_age_days > $max_inventory_days OR NOT iam_last_used_known
                THEN 'INSUFFICIENT_COVERAGE'
            WHEN last_used IS NOT NULL AND days_idle_vouched <= $threshold_days THEN 'INSUFFICIENT_COVERAGE'
            WHEN last_used IS NOT NULL THEN 'UNUSED'
            WHEN created IS NULL THEN 'INSUFFICIENT_COVERAGE'
            WHEN age_days < $grace_days THEN 'NEVER_USED_YOUNG'
            WHEN days_idle_vouched < $grace_days THEN 'INSUFFICIENT_COVERAGE'
            ELSE 'NEVER_USED_OLD'
        END AS state
    FROM idle
),
explained AS (
    SELECT
        *,
        concat_ws(
            ',',
            CASE state
                WHEN 'USED' THEN 'IN_USE'
                WHEN 'UNUSED' THEN 'IDLE_TOO_LONG'
                WHEN 'NEVER_USED_YOUNG' THEN 'YOUNG'
                WHEN 'NEVER_USED_OLD' THEN 'NEVER_USED'
                WHEN 'SLR' THEN 'SERVICE_LINKED'
                WHEN 'SSO_RESERVED' THEN 'IDENTITY_CENTER'
                WHEN 'PROTECTED' THEN 'PROTECTED'
            END,
            CASE WHEN state IN ('SLR', 'SSO_RESERVED', 'PROTECTED') AND last_used IS NOT NULL AND days_idle <= $threshold_days
                THEN 'IN_USE' END,
            CASE
                WHEN inventory_is_later THEN 'INVENTORY_LATER_THAN_AS_OF'
                WHEN inventory_time IS NULL THEN 'NO_INVENTORY'
                WHEN NOT in_inventory THEN 'NOT_IN_INVENTORY'
            END,
            CASE WHEN inventory_age_days > $max_inventory_days THEN 'STALE_INVENTORY' END,
            CASE WHEN in_inventory AND NOT iam_last_used_known THEN 'NO_IAM_LAST_USED' END,
            CASE
                WHEN state = 'INSUFFICIENT_COVERAGE' AND in_inventory AND iam_last_used_known
                    AND inventory_age_days <= $max_inventory_days AND created IS NOT NULL THEN 'ASKED_TOO_EARLY'
            END,
            CASE WHEN state = 'NEVER_USED_OLD' AND age_days > 400 THEN 'NOT_IN_400_DAYS' END,
            CASE WHEN had_predecessor THEN 'PREDECESSOR_IN_LOGS' END,
            CASE WHEN has_successor THEN 'RECREATED_SINCE_INVENTORY' END,
            CASE
                WHEN coverage = 0 THEN NULL
                WHEN iam_last_used > coalesce(
                    ct_last_used,
                    arrow_cast(held_from, 'Timestamp(Microsecond, Some("UTC"))') - INTERVAL '1 hour'
                ) + INTERVAL '1 hour' THEN 'IAM_LATER_THAN_CLOUDTRAIL'
                WHEN in_inventory AND iam_last_used_known AND ct_last_used > coalesce(
                    iam_last_used,
                    arrow_cast(0, 'Timestamp(Microsecond, Some("UTC"))')
                ) + INTERVAL '1 hour' THEN 'CLOUDTRAIL_LATER_THAN_IAM'
            END,
            CASE WHEN array_length(instance_profiles) > 0 THEN 'IN_INSTANCE_PROFILE' END,
            CASE WHEN trusts_the_dead THEN 'TRUSTS_DELETED_PRINCIPAL' END,
            CASE
                WHEN coverage = 0 THEN 'NO_LOGS'
                WHEN coverage < 0.9 THEN 'PARTIAL_LOGS'
            END
        ) AS codes
    FROM judged
)
SELECT
    account_id,
    role,
    role_arn,
    role_id,
    state,
    created,
    age_days,
    last_used,
    iam_last_used,
    ct_last_used,
    last_assumed,
    last_assumed_by,
    days_idle,
    trust_summary,
    instance_profiles,
    attachments,
    CASE
        WHEN state = 'SLR' THEN concat(
            'aws iam delete-service-linked-role --role-name ', role, '  # in account ', account_id, ', once its service''s resources are gone'
        )
        WHEN state = 'SSO_RESERVED' THEN 'take the permission set''s assignments to this account away in Identity Center; IAM cannot delete it'
        WHEN state IN ('UNUSED', 'NEVER_USED_OLD') THEN concat(
            'keep its trust policy, replace it by one that denies everybody, and wait; then take it out of its instance profiles, ',
            'detach and delete its policies, and aws iam delete-role --role-name ', role, '  # in account ', account_id
        )
    END AS delete_method,
    inventory_time,
    CASE
        WHEN state = 'INSUFFICIENT_COVERAGE' THEN 'low'
        WHEN state = 'USED' THEN 'high'
        WHEN codes LIKE '%NO_LOGS%' OR codes LIKE '%PARTIAL_LOGS%' OR codes LIKE '%LATER%' OR codes LIKE '%INSTANCE_PROFILE%'
            THEN 'medium'
        ELSE 'high'
    END AS confidence,
    string_to_array(codes, ',') AS reason_codes,
    concat_ws(
        '; ',
        CASE state
            WHEN 'USED' THEN concat('last used ', counted(days_idle, 'day'), ' ago')
            WHEN 'UNUSED' THEN concat('not used for ', counted(days_idle, 'day'))
            WHEN 'NEVER_USED_YOUNG' THEN concat('never used, but made only ', counted(age_days, 'day'), ' ago')
            WHEN 'NEVER_USED_OLD' THEN concat('never used in the ', least(age_days, 400), ' days that IAM looks back')
            WHEN 'SLR' THEN 'a service made it for itself'
            WHEN 'SSO_RESERVED' THEN 'a permission set of Identity Center made it'
            WHEN 'PROTECTED' THEN 'it is to stay whatever its use'
            ELSE 'what is known does not say whether it may go'
        END,
        CASE
            WHEN inventory_is_later THEN 'the inventory was taken later than as_of'
            WHEN inventory_time IS NULL THEN 'there is no inventory of the roles of this account: run rolecall inventory'
            WHEN NOT in_inventory THEN 'it is in the logs and not in the inventory: deleted, or made since'
        END,
        CASE WHEN inventory_age_days > $max_inventory_days THEN concat('the inventory is ', inventory_age_days, ' days old') END,
        CASE WHEN in_inventory AND NOT iam_last_used_known THEN 'IAM''s last use was not read, and silence of the logs alone proves nothing' END,
        CASE WHEN codes LIKE '%ASKED_TOO_EARLY%' THEN 'no logs cover the days since IAM was asked about its last use' END,
        CASE WHEN had_predecessor THEN 'an earlier role of this name is in the logs, and does not count' END,
        CASE WHEN has_successor THEN 'it was deleted and made again after the inventory: its successor is in use' END,
        CASE
            WHEN codes LIKE '%IAM_LATER%' THEN 'IAM saw a later use than the logs: of data events, or in a region without logs'
            WHEN codes LIKE '%CLOUDTRAIL_LATER%' THEN 'the logs show a later use than IAM'
        END,
        CASE WHEN array_length(instance_profiles) > 0 THEN 'an instance profile holds it' END,
        CASE WHEN trusts_the_dead THEN 'its trust policy names a principal that was deleted' END,
        CASE WHEN state IN ('UNUSED', 'NEVER_USED_OLD') THEN 'functions, tasks and stacks that name it were not looked for' END,
        CASE
            WHEN coverage = 0 THEN 'the window has no logs of this account'
            WHEN coverage < 0.9 THEN concat('the logs cover ', round(coverage * 1000) / 10, ' % of the window')
        END
    ) AS reasons,
    coverage,
    array_distinct(string_to_array(concat_ws(',', use_event_id, taken_event_id), ',')) AS evidence_event_ids
FROM explained
ORDER BY account_id, role, role_id, role_arn
