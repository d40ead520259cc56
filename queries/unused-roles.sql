-- title: Unused roles
-- question: Which roles can be deleted, and how?
-- with: roles, standby_roles
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
--     the tag rolecall:protected set to true, yes or 1
--   standby: text = null; further roles that stand by: names, with * for any text, separated by commas
-- columns:
--   account_id: account of the role
--   role: its name
--   role_arn: its ARN, with its path
--   role_id: its unique id (AROA…)
--   state: USED; UNUSED; NEVER_USED_YOUNG; NEVER_USED_OLD; SLR (service-linked: its service alone can let go of it); SSO_RESERVED
--     (made by an Identity Center permission set); PROTECTED; STANDBY (not used, and needed when it is: by whom, and how such a role
--     is really removed, say the reasons); INSUFFICIENT_COVERAGE (what is known is not enough, see reasons)
--   created: when it was made
--   age_days: whole days since then
--   last_used: last use, by IAM or in the logs, or last time taken, whichever is latest
--   last_used_by: who says so: iam or logs
--   known_until: until when IAM's silence counts: when it was asked about this role, less the four hours that it may lag; uses and
--     changes in the logs count until as_of
--   iam_last_used: last use as IAM knows it; it looks back 400 days
--   ct_last_used: last record in the logs that one of its sessions signed
--   last_assumed: last time that it was taken, in the logs
--   last_assumed_by: who took it then
--   days_idle: whole days from the later of created and last_used to known_until; of one in use,
--     to as_of; null where IAM was not asked
--   trust_summary: who may take it, as its trust policy says
--   instance_profiles: instance profiles that hold it
--   attachments: policies that are attached to it or written into it
--   delete_method: how it is deleted, where it may be
--   inventory_time: when IAM was read of the account's roles: of several files the oldest
--   inventory_time_from: api, content, given or file, as in iam_parts
--   next_step: what to do next; null where nothing is to be done
--   confidence: high, medium or low: how sure it is what is said of the role's use
--   reason_codes: what the state rests on, and what is not known; report --explain CODE
--   reasons: the same in words
--   coverage: days of the window that the account's logs cover, 0 to 1
--   verified: days of these of which digest files say that every log file is as CloudTrail delivered it; null where none were checked
--   silent_regions: regions whose log files stopped coming
--   evidence_event_ids: event ids to look up: last use, last time taken
-- findings: state in (UNUSED, NEVER_USED_OLD)
-- subject: role_arn
-- key: account_id, role, role_id
-- watch: trust_summary, instance_profiles
-- screen: account_id, role, state, days_idle, last_used, last_assumed_by, reasons
-- figures: days_since_use, knowledge_age_days, needed_by, removed_by
-- pitfall: A role that was deleted and made again has the same ARN and another id: what its predecessor did is no use of it. And
--   what stands by for a function, a task or a stack is not looked for: only instance profiles are in the inventory.

WITH trust AS (
    SELECT
        iam_trust_statements.account_id,
        role_name,
        array_to_string(array_sort(array_agg(DISTINCT concat(
            CASE WHEN effect = 'Deny' THEN 'Deny ' ELSE '' END,
            CASE WHEN negated THEN 'all but ' ELSE '' END,
            principal_type,
            ' ',
            principal,
            CASE WHEN coalesce(condition, '{}') NOT IN ('{}', 'null') THEN ' (on conditions)' ELSE '' END
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
tagged AS (
    SELECT DISTINCT account_id, role_name
    FROM (
        SELECT role_inventory.account_id, role_inventory.role_name, unnest(map_entries(told.tags)) AS tag
        FROM role_inventory
        -- list-roles tells of no tags: those of before hold.
        JOIN (
            SELECT account_id, role_name, role_id, last_value(tags ORDER BY snapshot_time) FILTER (WHERE cardinality(tags) > 0) AS tags
            FROM iam_roles
            WHERE snapshot_time <= $as_of
            GROUP BY account_id, role_name, role_id
        ) AS told
            ON role_inventory.account_id = told.account_id
            AND role_inventory.role_name = told.role_name
            AND role_inventory.role_id IS NOT DISTINCT FROM told.role_id
    ) AS entries
    WHERE lower(trim(tag.key)) = 'rolecall:protected' AND lower(trim(tag.value)) IN ('true', 'yes', '1')
),
standing_by AS (
    SELECT
        account_id,
        role_name,
        first_value(needed_by ORDER BY pattern) AS needed_by,
        first_value(removed_by ORDER BY pattern) AS removed_by
    FROM role_inventory
    JOIN standby_roles ON glob_is(lower(role_name), lower(pattern))
    GROUP BY account_id, role_name
),
judged AS (
    SELECT
        roles_known.*,
        trust_summary,
        coalesce(trusts_the_dead, false) AS trusts_the_dead,
        attachments,
        needed_by,
        removed_by,
        CASE
            WHEN coalesce(service_linked, role_arn LIKE '%:role/aws-service-role/%', role LIKE 'AWSServiceRoleFor%') THEN 'SLR'
            WHEN coalesce(identity_center, role LIKE 'AWSReservedSSO\_%') THEN 'SSO_RESERVED'
            WHEN tagged.account_id IS NOT NULL
                OR coalesce(
                    array_has_any(
                        string_to_array(replace($protected, ' ', ''), ','),
                        make_array(role, role_arn, concat(roles_known.account_id, '/', role))
                    ),
                    false
                ) THEN 'PROTECTED'
            WHEN standing <> 'USED' AND needed_by IS NOT NULL THEN 'STANDBY'
            ELSE standing
        END AS state
    FROM roles_known
    LEFT JOIN trust ON roles_known.account_id = trust.account_id AND role = trust.role_name
    LEFT JOIN attached ON roles_known.account_id = attached.account_id AND role = attached.principal_name
    LEFT JOIN tagged ON roles_known.account_id = tagged.account_id AND role = tagged.role_name
    LEFT JOIN standing_by ON roles_known.account_id = standing_by.account_id AND role = standing_by.role_name
    WHERE $account IS NULL OR roles_known.account_id = $account
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
    last_used_by,
    known_until,
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
        WHEN state = 'STANDBY' THEN removed_by
        WHEN state IN ('UNUSED', 'NEVER_USED_OLD') THEN concat(
            'keep its trust policy, replace it by one that denies everybody, and wait; then take it out of its instance profiles, ',
            'detach and delete its policies, and aws iam delete-role --role-name ', role, '  # in account ', account_id
        )
    END AS delete_method,
    inventory_time,
    inventory_time_from,
    array_concat(
        codes(
            CASE state
                WHEN 'SLR' THEN 'SERVICE_LINKED'
                WHEN 'SSO_RESERVED' THEN 'IDENTITY_CENTER'
                WHEN 'PROTECTED' THEN 'PROTECTED'
                WHEN 'STANDBY' THEN 'STANDS_BY'
            END, true
        ),
        -- What is to stay is not told how long it has been idle, only that it is not.
        CASE WHEN state = standing OR standing = 'USED' THEN role_codes ELSE make_array() END,
        codes(
            'IN_INSTANCE_PROFILE', array_length(instance_profiles) > 0,
            'TRUSTS_DELETED_PRINCIPAL', trusts_the_dead,
            'REFERENCES_NOT_READ', state IN ('UNUSED', 'NEVER_USED_OLD')
        )
    ) AS reason_codes,
    coverage,
    verified,
    silent_regions,
    array_distinct(string_to_array(concat_ws(',', use_event_id, taken_event_id), ',')) AS evidence_event_ids,
    days_since_use,
    knowledge_age_days,
    needed_by,
    removed_by
FROM judged
ORDER BY account_id, role, role_id, role_arn
