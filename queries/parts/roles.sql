-- title: Every role known at as_of, with all that is known of its use
-- comment: One row per role and name. Its evidence is, by source, what IAM said and until when (known_until), what the logs show used
--   until as_of, and what they show changed. Silence counts up to known_until only: days_idle ends there. A role that was deleted
--   and made again has the same ARN and another id: what its predecessor did is no use of it, and what IAM said of the
--   predecessor says nothing of it. One that the logs show deleted, and not made again, is left out.
--   standing: USED, UNUSED, NEVER_USED_YOUNG, NEVER_USED_OLD or INSUFFICIENT_COVERAGE; role_codes is what it rests on. For a
--   report with role, threshold_days, grace_days and max_inventory_days.
-- with: held, logged_accounts, role_words

role_history AS MATERIALIZED (
    SELECT
        account_id,
        role_name,
        role_id,
        max(last_used) AS last_used,
        max(use_read_at) AS use_read_at,
        last_value(from_file ORDER BY use_read_at NULLS FIRST) AS use_from_file
    FROM role_words
    GROUP BY account_id, role_name, role_id
),
role_inventory AS MATERIALIZED (
    SELECT
        role_words.* EXCEPT (last_used, use_read_at, known_until, from_file),
        -- A last use before the role was made is its predecessor's.
        CASE WHEN role_history.last_used >= coalesce(role_words.created, role_history.last_used) THEN role_history.last_used END
            AS last_used,
        role_history.use_read_at,
        CASE WHEN from_file OR use_from_file THEN 'file' ELSE inventory_then.time_from END AS time_from
    FROM role_words
    JOIN inventory_then
        ON role_words.snapshot_id = inventory_then.snapshot_id
        AND role_words.account_id = inventory_then.account_id
        AND inventory_then.part = 'roles'
    JOIN role_history
        ON role_words.account_id = role_history.account_id
        AND role_words.role_name = role_history.role_name
        AND role_words.role_id IS NOT DISTINCT FROM role_history.role_id
),
role_uses AS (
    SELECT
        coalesce(arn_account(role_arn), arn_account(session_arn), masked_account_id) AS account_id,
        coalesce(arn_name(role_arn), arn_name(session_arn), known_role_name) AS role_name,
        role_id,
        max(role_arn) AS role_arn,
        max(last_used) AS last_used,
        last_value(event_id ORDER BY last_used, event_id) AS event_id
    FROM (
        SELECT
            role_arn,
            split_part(role_id, ':', 1) AS role_id,
            CASE WHEN role_arn IS NULL THEN principal_arn END AS session_arn,
            CASE WHEN principal_arn IS NULL THEN account_id END AS masked_account_id,
            max(least(last_time, $as_of)) AS last_used,
            last_value(sample_event_id ORDER BY last_time, sample_event_id) AS event_id
        FROM activity
        WHERE first_time < $as_of
            AND (principal_type = 'AssumedRole' OR principal_arn LIKE '%:assumed-role/%'
                -- The other account's copy of a call names the caller by id alone.
                OR (principal_type = 'AWSAccount' AND role_id LIKE 'AROA%'))
            -- What the console writes of signing in and of switching carries neither key nor session: nobody signed it.
            AND (event_source <> 'signin.amazonaws.com' OR credential_kind <> 'none' OR session_created IS NOT NULL)
        GROUP BY 1, 2, 3, 4
    ) AS sessions_of_role
    LEFT JOIN (
        SELECT account_id AS known_account_id, role_id AS known_role_id, max(role_name) AS known_role_name
        FROM iam_roles
        WHERE snapshot_time <= $as_of AND role_is(account_id, role_name, $role)
        GROUP BY 1, 2
    ) AS known ON role_id = known_role_id AND masked_account_id = known_account_id
    WHERE masked_account_id IS NULL OR role_arn IS NOT NULL OR known_role_name IS NOT NULL
    GROUP BY 1, 2, 3
    -- aws:ec2-instance and the like are AWS's own: IAM has no role of the name, and nobody can delete one.
    HAVING coalesce(max(coalesce(role_arn, session_arn)) NOT LIKE '%/aws:%', true)
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
        max(CASE WHEN event_name LIKE 'Delete%Role' THEN event_time END) AS deleted,
        max(CASE WHEN event_name LIKE 'Create%Role' THEN event_time END) AS made,
        max(event_time) AS changed
    FROM iam_changes
    WHERE target_type = 'role'
        AND outcome = 'success'
        AND event_time < $as_of
        AND event_name NOT LIKE '%agRole'
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
        deleted,
        made,
        changed,
        -- Made again after IAM was read: all that IAM said is of its predecessor.
        coalesce(made > roles_read_at, false) AS made_since,
        logged.role_arn AS logged_arn,
        logged.role_id AS logged_id,
        logged.last_used AS logged_use,
        logged.last_assumed,
        logged.last_assumed_by,
        logged.use_event_id,
        logged.taken_event_id,
        logged.account_id IS NOT NULL AND CASE
            WHEN kept.snapshot_id IS NULL THEN true
            WHEN made > roles_read_at THEN coalesce(greatest(logged.last_used, logged.last_assumed) >= made, false)
            -- What another of that name did after the inventory, a role did that has its place now.
            WHEN logged.role_id IS NOT NULL AND kept.role_id IS NOT NULL
                THEN logged.role_id = kept.role_id
                    OR coalesce(greatest(logged.last_used, logged.last_assumed) > roles_read_at, false)
            ELSE coalesce(greatest(logged.last_used, logged.last_assumed) >= kept.created, true)
        END AS own
    FROM role_inventory AS kept
    FULL JOIN role_logs AS logged ON kept.account_id = logged.account_id AND kept.role_name = logged.role_name
    LEFT JOIN role_changes
        ON coalesce(kept.account_id, logged.account_id) = role_changes.account_id
        AND coalesce(kept.role_name, logged.role_name) = role_changes.role_name
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
            ORDER BY own DESC, CASE WHEN own THEN logged_use END DESC NULLS LAST, created DESC NULLS LAST, logged_id, logged_arn
        ),
        by_taking AS (
            PARTITION BY account_id, role_name
            ORDER BY own DESC, CASE WHEN own THEN last_assumed END DESC NULLS LAST, logged_id, logged_arn
        )
),
role_snapshots AS (
    SELECT account_id, read_at AS inventory_time FROM inventory_then WHERE part = 'roles'
),
role_evidence AS (
    SELECT
        role_rows.account_id,
        role_rows.role_name AS role,
        coalesce(role_rows.role_arn, logged_arn) AS role_arn,
        coalesce(role_rows.role_id, logged_id) AS role_id,
        snapshot_id IS NOT NULL AS in_inventory,
        made_since OR has_successor AS made_again,
        service_linked,
        identity_center,
        tags,
        instance_profiles,
        CASE WHEN made_since THEN made ELSE created END AS created,
        CASE WHEN NOT made_since THEN role_rows.last_used END AS iam_last_used,
        use_read_at IS NOT NULL AS iam_last_used_known,
        use_read_at,
        use_read_at - INTERVAL '4 hours' AS known_until,
        ct_last_used,
        last_assumed,
        last_assumed_by,
        changed,
        had_predecessor,
        use_event_id,
        taken_event_id,
        role_snapshots.inventory_time,
        time_from AS inventory_time_from,
        coalesce(held.coverage, 0.0) AS coverage,
        held.verified,
        held.silent_regions,
        held.held_from,
        CASE
            WHEN inventory_later.account_id IS NOT NULL THEN 'INVENTORY_LATER_THAN_AS_OF'
            WHEN role_snapshots.inventory_time IS NULL THEN 'NO_INVENTORY'
            WHEN snapshot_id IS NULL THEN 'NOT_IN_INVENTORY'
        END AS inventory_code
    FROM role_rows
    LEFT JOIN role_snapshots ON role_rows.account_id = role_snapshots.account_id
    LEFT JOIN inventory_later ON role_rows.account_id = inventory_later.account_id
    LEFT JOIN held ON role_rows.account_id = held.account_id
    LEFT JOIN logged_accounts ON role_rows.account_id = logged_account_id
    WHERE place = 1
        AND role_is(role_rows.account_id, role_rows.role_name, $role)
        -- A role of an account of which nothing else is known is somebody else's.
        AND (role_snapshots.account_id IS NOT NULL OR logged_account_id IS NOT NULL)
        -- Gone, and not made again.
        AND NOT coalesce(
            deleted > coalesce(made, arrow_cast(0, 'Timestamp(Microsecond, Some("UTC"))'))
            AND deleted >= coalesce(roles_read_at, ct_last_used, role_rows.last_assumed, deleted),
            false
        )
),
role_ages AS (
    SELECT
        *,
        greatest(iam_last_used, ct_last_used, last_assumed) AS last_used,
        CASE
            WHEN greatest(ct_last_used, last_assumed) >= coalesce(iam_last_used, greatest(ct_last_used, last_assumed)) THEN 'logs'
            WHEN iam_last_used IS NOT NULL THEN 'iam'
        END AS last_used_by,
        days_between(created, $as_of) AS age_days,
        days_between(greatest(created, iam_last_used, ct_last_used, last_assumed), known_until) AS days_idle_known,
        days_between(greatest(created, iam_last_used, ct_last_used, last_assumed), $as_of) AS days_idle_now,
        days_between(greatest(iam_last_used, ct_last_used, last_assumed), $as_of) AS days_since_use,
        greatest(days_between(inventory_time, $as_of), days_between(use_read_at, $as_of)) AS knowledge_age_days,
        in_inventory AND coalesce(changed > known_until, false) AS changed_since_asked
    FROM role_evidence
),
role_gaps AS (
    SELECT
        *,
        coalesce(days_since_use <= $threshold_days, false) AS in_use,
        coalesce(
            least(known_until, inventory_time)
                < arrow_cast($as_of, 'Timestamp(Microsecond, Some("UTC"))') - arrow_cast($max_inventory_days * 86400000000, 'Duration(Microsecond)'),
            false
        ) AS inventory_is_old,
        last_used IS NULL AND coalesce(age_days < $grace_days, false) AS is_young,
        -- IAM was asked too soon after the last use, or after the role was made, for its silence to say anything.
        coalesce(
            greatest(created, last_used) > known_until
                OR days_idle_known <= CASE WHEN last_used IS NULL THEN $grace_days - 1 ELSE $threshold_days END,
            true
        ) AS asked_too_early
    FROM role_ages
),
roles_known AS (
    SELECT
        *,
        CASE WHEN standing = 'USED' THEN days_idle_now ELSE days_idle_known END AS days_idle,
        codes(
            CASE standing
                WHEN 'USED' THEN 'IN_USE'
                WHEN 'UNUSED' THEN 'IDLE_TOO_LONG'
                WHEN 'NEVER_USED_YOUNG' THEN 'YOUNG'
                WHEN 'NEVER_USED_OLD' THEN 'NEVER_USED'
            END, true,
            inventory_code, true,
            'STALE_INVENTORY', inventory_is_old,
            'NO_IAM_LAST_USED', in_inventory AND NOT iam_last_used_known,
            'RECREATED_SINCE_INVENTORY', made_again,
            'CHANGED_SINCE_INVENTORY', standing = 'INSUFFICIENT_COVERAGE' AND changed_since_asked AND NOT made_again,
            'ASKED_TOO_EARLY', standing = 'INSUFFICIENT_COVERAGE' AND in_inventory AND iam_last_used_known AND NOT inventory_is_old
                AND NOT changed_since_asked AND asked_too_early,
            'NOT_IN_400_DAYS', standing IN ('UNUSED', 'NEVER_USED_OLD') AND iam_last_used IS NULL AND age_days > 400,
            'PREDECESSOR_IN_LOGS', had_predecessor,
            CASE
                WHEN coverage = 0 THEN NULL
                WHEN iam_last_used
                    > coalesce(ct_last_used, arrow_cast(held_from, 'Timestamp(Microsecond, Some("UTC"))') - INTERVAL '1 hour')
                    + INTERVAL '1 hour' THEN 'IAM_LATER_THAN_CLOUDTRAIL'
                WHEN in_inventory
                    AND iam_last_used_known
                    AND ct_last_used
                        > coalesce(iam_last_used, arrow_cast(0, 'Timestamp(Microsecond, Some("UTC"))')) + INTERVAL '1 hour'
                    THEN 'CLOUDTRAIL_LATER_THAN_IAM'
            END, true,
            'TIME_FROM_FILE', inventory_time_from = 'file',
            'NO_LOGS', coverage = 0,
            'PARTIAL_LOGS', coverage > 0 AND coverage < 0.9,
            'SILENT_REGION', array_length(silent_regions) > 0
        ) AS role_codes
    FROM (
        SELECT
            *,
            CASE
                WHEN in_use THEN 'USED'
                WHEN NOT in_inventory OR inventory_is_old OR NOT iam_last_used_known THEN 'INSUFFICIENT_COVERAGE'
                WHEN is_young THEN 'NEVER_USED_YOUNG'
                WHEN made_again OR changed_since_asked OR asked_too_early THEN 'INSUFFICIENT_COVERAGE'
                WHEN last_used IS NOT NULL THEN 'UNUSED'
                ELSE 'NEVER_USED_OLD'
            END AS standing
        FROM role_gaps
    ) AS placed
)
