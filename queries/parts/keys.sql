-- title: Every long-term access key known at as_of, with all that is known of its use
-- comment: One row per key. Its evidence is, by source, what IAM said and until when (known_until), what the logs show used until
--   as_of, and what they show changed. Silence counts up to known_until only: days_idle ends there. Keys of the inventory and of the
--   logs meet by key id. A credential report holds no ids: such a key has a slot instead, and a use of its user's by a key of
--   unknown id that IAM's last uses do not account for is counted for it, since it may be this one. Sessions that a key opened
--   (GetSessionToken, GetFederationToken) count as its use. Keys that the logs show deleted are left out. An account that is
--   in the logs, and whose keys no inventory tells, has a row without a key.
--   standing: USED, STALE, NEVER_USED, NEVER_USED_YOUNG, INACTIVE or UNKNOWN; key_codes is what it rests on. For a report with
--   threshold_days, grace_days and max_inventory_days.
-- with: held, logged_accounts, inventory_then, data_events, key_children

key_uses AS (
    SELECT
        coalesce(parent_key_id, access_key_id) AS access_key_id,
        min(account_id) AS account_id,
        last_value(user_name ORDER BY last_time, user_name)
            FILTER (WHERE user_name IS NOT NULL AND parent_key_id IS NULL) AS user_name,
        last_value(principal_arn ORDER BY last_time, principal_arn)
            FILTER (WHERE principal_arn IS NOT NULL AND parent_key_id IS NULL) AS user_arn,
        min(principal_id) FILTER (WHERE parent_key_id IS NULL) AS user_id,
        min(first_time) AS first_used,
        max(last_time) FILTER (WHERE parent_key_id IS NULL) AS last_used_itself,
        max(last_time) FILTER (WHERE parent_key_id IS NOT NULL) AS last_used_by_sessions,
        sum(event_count) FILTER (WHERE last_time >= $from AND first_time < $to) AS calls,
        first_value(sample_event_id ORDER BY first_time, sample_event_id) AS first_event_id,
        last_value(sample_event_id ORDER BY last_time, sample_event_id) AS last_event_id
    FROM (
        SELECT
            access_key_id,
            account_id,
            user_name,
            principal_arn,
            principal_id,
            first_time,
            least(last_time, $as_of) AS last_time,
            event_count,
            sample_event_id
        FROM activity
        WHERE first_time < $as_of
            AND (
                credential_kind = 'long_term'
                OR (credential_kind = 'temporary' AND principal_type IN ('IAMUser', 'FederatedUser', 'Root'))
            )
    ) AS signed
    LEFT JOIN key_children
        ON access_key_id = child_key_id AND first_time >= issued_time AND first_time <= expires
    WHERE parent_key_id IS NOT NULL OR access_key_id LIKE 'AKIA%'
    GROUP BY 1
),
key_activations AS (
    SELECT target_id AS activated_key_id, max(event_time) AS last_activated
    FROM iam_changes
    WHERE target_type = 'access_key'
        AND outcome = 'success'
        AND target_id LIKE 'AKIA%'
        AND (event_name = 'CreateAccessKey' OR (event_name = 'UpdateAccessKey' AND status = 'Active'))
        AND event_time < $as_of
    GROUP BY target_id
),
key_changes AS (
    SELECT
        target_id AS access_key_id,
        min(recipient_account_id) AS account_id,
        last_value(target_name ORDER BY event_time, target_name) FILTER (WHERE target_name IS NOT NULL) AS user_name,
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
        max(event_time) AS status_changed,
        max(last_activated) AS last_activated,
        -- Made inactive again, a key that was inactive already is so since the first time.
        min(CASE
            WHEN event_name = 'UpdateAccessKey' AND status = 'Inactive' AND coalesce(event_time >= last_activated, true) THEN event_time
        END) AS inactive_since,
        last_value(event_id ORDER BY event_time, event_id) AS change_event_id
    FROM iam_changes
    LEFT JOIN key_activations ON target_id = activated_key_id
    WHERE target_type = 'access_key'
        AND outcome = 'success'
        AND target_id LIKE 'AKIA%'
        AND event_name IN ('CreateAccessKey', 'DeleteAccessKey', 'UpdateAccessKey')
        AND event_time < $as_of
    GROUP BY target_id
),
key_logs AS (
    SELECT
        coalesce(key_uses.access_key_id, key_changes.access_key_id) AS access_key_id,
        coalesce(key_uses.account_id, key_changes.account_id) AS account_id,
        CASE
            WHEN key_uses.user_arn LIKE '%:root' THEN '<root_account>'
            ELSE coalesce(key_uses.user_name, key_changes.user_name)
        END AS user_name,
        key_uses.user_arn,
        key_uses.user_id,
        key_uses.first_used,
        key_uses.last_used_itself,
        key_uses.last_used_by_sessions,
        key_uses.calls,
        key_uses.first_event_id,
        key_uses.last_event_id,
        key_changes.created,
        key_changes.created_by,
        key_changes.status,
        key_changes.status_changed,
        key_changes.last_activated,
        key_changes.inactive_since,
        key_changes.change_event_id
    FROM key_uses
    FULL JOIN key_changes ON key_uses.access_key_id = key_changes.access_key_id
),
-- What each snapshot says of a key, and as of when: its status by the list of keys, its last use by the answer about the key
-- or by the credential report.
key_words AS (
    SELECT
        iam_access_keys.*,
        CASE
            WHEN iam_access_keys.access_key_id IS NULL THEN coalesce(report_read_at, iam_access_keys.snapshot_time)
            ELSE coalesce(keys_read_at, report_read_at, iam_access_keys.snapshot_time)
        END AS status_read_at,
        CASE
            WHEN NOT last_used_known THEN NULL
            WHEN matched_by = 'access_key_id' THEN coalesce(key_use_read_at, iam_access_keys.snapshot_time)
            WHEN matched_by IS NULL THEN coalesce(least(key_use_read_at, report_read_at), iam_access_keys.snapshot_time)
            ELSE coalesce(report_read_at, iam_access_keys.snapshot_time)
        END AS use_read_at
    FROM iam_access_keys
    JOIN snapshot_reads
        ON iam_access_keys.snapshot_id = snapshot_reads.snapshot_id
        AND iam_access_keys.account_id = snapshot_reads.account_id
),
-- What all snapshots say of a key together. What one saw active was not inactive since a record before it; and what one saw
-- inactive was so before a record after it.
key_history AS (
    SELECT
        seen.account_id,
        seen.access_key_id,
        max(use_read_at) AS use_read_at,
        max(last_used) AS last_used,
        last_value(last_used_service ORDER BY last_used NULLS FIRST, use_read_at NULLS FIRST) AS last_used_service,
        last_value(last_used_region ORDER BY last_used NULLS FIRST, use_read_at NULLS FIRST) AS last_used_region,
        max(CASE WHEN seen.status = 'Active' THEN status_read_at END) AS seen_active,
        max(CASE WHEN seen.status <> 'Active' AND status_read_at < inactive_since THEN status_read_at END) AS seen_inactive
    FROM key_words AS seen
    LEFT JOIN key_changes ON seen.access_key_id = key_changes.access_key_id
    WHERE seen.access_key_id IS NOT NULL
    GROUP BY seen.account_id, seen.access_key_id
),
key_inventory AS (
    SELECT
        key_words.* EXCEPT (use_read_at, last_used, last_used_service, last_used_region),
        coalesce(key_history.use_read_at, key_words.use_read_at) AS use_read_at,
        coalesce(key_history.last_used, key_words.last_used) AS last_used,
        coalesce(key_history.last_used_service, key_words.last_used_service) AS last_used_service,
        coalesce(key_history.last_used_region, key_words.last_used_region) AS last_used_region,
        seen_active,
        seen_inactive,
        inventory_then.time_from
    FROM key_words
    JOIN inventory_then
        ON key_words.snapshot_id = inventory_then.snapshot_id
        AND key_words.account_id = inventory_then.account_id
        AND inventory_then.part = 'access_keys'
    LEFT JOIN key_history
        ON key_words.account_id = key_history.account_id AND key_words.access_key_id = key_history.access_key_id
),
key_told AS (
    SELECT
        coalesce(kept.account_id, logged.account_id) AS account_id,
        coalesce(kept.user_name, logged.user_name) AS user_name,
        coalesce(kept.user_arn, logged.user_arn) AS user_arn,
        coalesce(kept.user_id, logged.user_id) AS user_id,
        coalesce(kept.access_key_id, logged.access_key_id) AS access_key_id,
        kept.slot,
        coalesce(kept.is_root, logged.user_name = '<root_account>', false) AS is_root,
        kept.snapshot_id IS NOT NULL AS in_inventory,
        kept.status_read_at,
        kept.time_from AS inventory_time_from,
        -- What the logs saw later than IAM was read.
        CASE
            WHEN kept.snapshot_id IS NULL OR logged.status_changed > kept.status_read_at THEN coalesce(logged.status, kept.status)
            ELSE kept.status
        END AS told_status,
        CASE
            WHEN kept.snapshot_id IS NULL OR logged.status_changed > kept.status_read_at THEN logged.status_changed
            ELSE kept.status_read_at
        END AS status_as_of,
        logged.status_changed,
        -- Only the logs tell when. The report's last_rotated does not: it is the day of creation where nothing was changed,
        -- or where the change is younger than the report; and a record of the creation is no deactivation.
        CASE
            WHEN logged.status = 'Inactive'
                AND coalesce(logged.inactive_since > seen_active, true)
                AND (seen_inactive IS NULL OR coalesce(seen_inactive < logged.last_activated, false))
                THEN logged.inactive_since
        END AS told_deactivated,
        coalesce(kept.created, logged.created, kept.last_rotated) AS created,
        logged.created_by,
        logged.last_activated,
        kept.last_used AS iam_last_used,
        kept.last_used_service AS iam_last_used_service,
        kept.last_used_region AS iam_last_used_region,
        kept.use_read_at IS NOT NULL AS iam_last_used_known,
        kept.use_read_at,
        kept.matched_by,
        logged.first_used AS ct_first_used,
        logged.last_used_itself,
        logged.last_used_by_sessions,
        greatest(logged.last_used_itself, logged.last_used_by_sessions) AS ct_last_used,
        coalesce(logged.calls, 0) AS calls,
        logged.first_event_id,
        logged.last_event_id,
        logged.change_event_id
    FROM key_inventory AS kept
    FULL JOIN key_logs AS logged ON kept.access_key_id = logged.access_key_id
),
-- A key that signs is active, whatever an older word says. IAM takes a while to have a change everywhere.
key_facts AS (
    SELECT
        * EXCEPT (told_status, told_deactivated),
        CASE WHEN used_while_inactive THEN 'Active' ELSE told_status END AS status,
        CASE WHEN NOT used_while_inactive THEN told_deactivated END AS deactivated
    FROM (
        SELECT
            *,
            coalesce(told_status IN ('Inactive', 'Expired') AND last_used_itself > status_as_of + INTERVAL '1 hour', false)
                AS used_while_inactive
        FROM key_told
    ) AS told
),
key_neighbours AS (
    SELECT
        *,
        bool_or(in_inventory AND access_key_id IS NULL) OVER (PARTITION BY account_id, user_name) AS user_lacks_key_ids,
        max(CASE WHEN NOT in_inventory AND status IS DISTINCT FROM 'Deleted' THEN ct_last_used END)
            OVER (PARTITION BY account_id, user_name) AS unmatched_last_used,
        max(CASE WHEN NOT in_inventory THEN status_changed END) OVER (PARTITION BY account_id, user_name) AS unmatched_changed,
        max(CASE WHEN in_inventory THEN iam_last_used END) OVER (PARTITION BY account_id, user_name) AS user_iam_last_used,
        last_value(CASE WHEN NOT in_inventory THEN last_event_id END) OVER (
            PARTITION BY account_id, user_name
            ORDER BY CASE WHEN NOT in_inventory THEN ct_last_used END NULLS FIRST, access_key_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS unmatched_event_id
    FROM key_facts
),
key_rows AS (
    SELECT
        * EXCEPT (ct_last_used, status_changed, unmatched_last_used, unmatched_changed, user_iam_last_used, unmatched_event_id, user_lacks_key_ids, in_inventory),
        true AS has_key,
        in_inventory,
        NOT in_inventory AND user_lacks_key_ids AS may_be_a_slot,
        counts_for_user AS used_by_unknown_key,
        CASE WHEN counts_for_user THEN greatest(ct_last_used, unmatched_last_used) ELSE ct_last_used END AS ct_last_used,
        CASE WHEN counts_for_user THEN unmatched_event_id END AS unmatched_event_id,
        -- A change of a key of unknown id may be of this one.
        CASE WHEN in_inventory AND access_key_id IS NULL THEN greatest(status_changed, unmatched_changed) ELSE status_changed END
            AS status_changed
    FROM (
        SELECT
            *,
            -- A use that no slot's last use accounts for may be of any of them. IAM keeps it to a quarter of an hour.
            coalesce(
                in_inventory
                AND access_key_id IS NULL
                AND unmatched_last_used > coalesce(user_iam_last_used, arrow_cast(0, 'Timestamp(Microsecond, Some("UTC"))'))
                    + INTERVAL '1 hour',
                false
            ) AS counts_for_user
        FROM key_neighbours
        WHERE status IS DISTINCT FROM 'Deleted'
    ) AS neighbours
),
key_snapshots AS (
    SELECT account_id, read_at AS keys_read_at, known_until AS keys_known_until
    FROM inventory_then
    WHERE part = 'access_keys'
),
unlisted AS (
    SELECT logged_account_id AS unlisted_account_id, arrow_cast(NULL, 'Utf8') AS no_key
    FROM logged_accounts
    LEFT ANTI JOIN key_snapshots ON logged_account_id = key_snapshots.account_id
),
key_and_unlisted_rows AS (
    SELECT
        key_rows.* EXCEPT (account_id, in_inventory, has_key),
        coalesce(account_id, unlisted_account_id) AS account_id,
        coalesce(in_inventory, false) AS in_inventory,
        coalesce(has_key, false) AS has_key
    FROM key_rows
    -- Never true: each side keeps its own rows.
    FULL JOIN unlisted ON key_rows.access_key_id = unlisted.no_key
),
key_evidence AS (
    SELECT
        key_rows.*,
        coalesce(status_read_at, keys_read_at) AS inventory_time,
        use_read_at - INTERVAL '4 hours' AS known_until,
        greatest(iam_last_used, ct_last_used) AS last_used,
        greatest(created, last_activated, iam_last_used, ct_last_used) AS idle_since,
        coalesce(held.coverage, 0.0) AS coverage,
        held.verified,
        held.silent_regions,
        held.held_from,
        -- What the inventory leaves open about the key.
        CASE
            WHEN inventory_later.account_id IS NOT NULL THEN 'INVENTORY_LATER_THAN_AS_OF'
            WHEN keys_read_at IS NULL THEN 'NO_INVENTORY'
            WHEN may_be_a_slot THEN 'KEY_ID_UNKNOWN'
            WHEN has_key AND NOT in_inventory THEN 'NOT_IN_INVENTORY'
            WHEN key_rows.access_key_id IS NULL THEN 'KEY_ID_UNKNOWN'
        END AS inventory_code,
        data_services.service IS NOT NULL AS iam_service_is_data,
        for_account.service IS NOT NULL OR for_all.service IS NOT NULL AS data_events_recorded,
        CASE WHEN account_trails.account_id IS NOT NULL OR organization_trails.known IS NOT NULL
            THEN 'the trails record no' ELSE 'no trail is known that records' END AS trails_word
    FROM key_and_unlisted_rows AS key_rows
    LEFT JOIN key_snapshots ON key_rows.account_id = key_snapshots.account_id
    LEFT JOIN held ON key_rows.account_id = held.account_id
    LEFT JOIN inventory_later ON key_rows.account_id = inventory_later.account_id
    LEFT JOIN (SELECT service, min(data_event_type) AS data_event_type FROM data_services GROUP BY service) AS data_services
        ON key_rows.iam_last_used_service = data_services.service
    LEFT JOIN data_recorded AS for_account
        ON key_rows.account_id = for_account.account_id
        AND coalesce(data_services.service, 's3') = for_account.service
    LEFT JOIN data_recorded AS for_all
        ON for_all.account_id IS NULL
        AND coalesce(data_services.service, 's3') = for_all.service
    LEFT JOIN trails_known AS account_trails ON key_rows.account_id = account_trails.account_id
    LEFT JOIN (SELECT DISTINCT true AS known FROM trails_known WHERE account_id IS NULL) AS organization_trails ON true
),
key_ages AS (
    SELECT
        *,
        coalesce(status IN ('Inactive', 'Expired'), false) AS is_off,
        -- Activated again, it may be waiting for a job that comes seldom.
        coalesce(last_activated > created + INTERVAL '1 minute', false) AS was_off,
        days_between(created, $as_of) AS age_days,
        days_between(idle_since, known_until) AS days_idle_known,
        days_between(idle_since, $as_of) AS days_idle_now,
        days_between(last_used, $as_of) AS days_since_use,
        CASE WHEN ct_last_used >= coalesce(iam_last_used, ct_last_used) THEN 'logs' WHEN iam_last_used IS NOT NULL THEN 'iam' END
            AS last_used_by,
        CASE WHEN iam_service_is_data THEN iam_last_used_service ELSE 's3' END AS blind_service,
        days_between(status_as_of, $as_of) AS status_age_days,
        -- Of the oldest word that an answer rests on.
        greatest(days_between(inventory_time, $as_of), days_between(use_read_at, $as_of)) AS knowledge_age_days,
        -- IAM keeps the last use to a quarter of an hour, and hears of it late.
        coalesce(
            iam_last_used
                > coalesce(ct_last_used, arrow_cast(held_from, 'Timestamp(Microsecond, Some("UTC"))') - INTERVAL '1 hour')
                + INTERVAL '1 hour',
            false
        ) AS iam_is_later,
        coalesce(
            iam_last_used_known
            AND ct_last_used
                > coalesce(iam_last_used, arrow_cast(0, 'Timestamp(Microsecond, Some("UTC"))')) + INTERVAL '1 hour',
            false
        ) AS cloudtrail_is_later
    FROM key_evidence
),
key_gaps AS (
    SELECT
        *,
        NOT is_off AND coalesce(days_since_use <= $threshold_days, false) AS in_use,
        coalesce(
            least(known_until, inventory_time)
                < arrow_cast($as_of, 'Timestamp(Microsecond, Some("UTC"))') - arrow_cast($max_inventory_days * 86400000000, 'Duration(Microsecond)'),
            false
        ) AS inventory_is_old,
        last_used IS NULL AND coalesce(age_days < $grace_days, false) AS is_young,
        coalesce(status_changed > known_until, false) AS changed_since_asked,
        -- IAM was asked too soon after the last use, or after the key was made, for its silence to say anything.
        coalesce(days_idle_known <= CASE WHEN last_used IS NULL AND NOT was_off THEN $grace_days - 1 ELSE $threshold_days END, true)
            AS asked_too_early
    FROM key_ages
),
keys AS (
    SELECT
        *,
        CASE WHEN standing = 'USED' THEN days_idle_now ELSE coalesce(days_idle_known, days_idle_now) END AS days_idle,
        codes(
            CASE standing
                WHEN 'USED' THEN 'IN_USE'
                WHEN 'STALE' THEN 'IDLE_TOO_LONG'
                WHEN 'NEVER_USED' THEN 'NEVER_USED'
                WHEN 'NEVER_USED_YOUNG' THEN 'YOUNG'
                WHEN 'INACTIVE' THEN 'INACTIVE'
            END, true,
            'ROOT_KEY', is_root,
            'ACTIVE_AGAIN', used_while_inactive,
            inventory_code, true,
            'SLOT_AMBIGUOUS', matched_by = 'ambiguous',
            'STALE_INVENTORY', inventory_is_old,
            'NO_IAM_LAST_USED', in_inventory AND NOT iam_last_used_known,
            'CHANGED_SINCE_INVENTORY', standing = 'UNKNOWN' AND changed_since_asked AND in_inventory,
            'ASKED_TOO_EARLY', standing = 'UNKNOWN' AND in_inventory AND iam_last_used_known AND NOT inventory_is_old
                AND NOT changed_since_asked AND asked_too_early,
            'USED_BY_UNKNOWN_KEY', used_by_unknown_key,
            CASE
                WHEN data_events_recorded THEN NULL
                WHEN iam_service_is_data AND (iam_is_later OR in_use) THEN 'BLIND_DATA_EVENTS'
                WHEN in_inventory AND NOT iam_last_used_known AND ct_last_used IS NULL THEN 'BLIND_DATA_EVENTS'
            END, true,
            CASE
                WHEN iam_is_later AND ct_last_used IS NULL AND coverage > 0 THEN 'IAM_ONLY'
                WHEN iam_is_later AND coverage > 0 THEN 'IAM_LATER_THAN_CLOUDTRAIL'
                WHEN cloudtrail_is_later THEN 'CLOUDTRAIL_LATER_THAN_IAM'
            END, true,
            'TIME_FROM_FILE', inventory_time_from = 'file',
            'NO_LOGS', coverage = 0,
            'PARTIAL_LOGS', coverage > 0 AND coverage < 0.9,
            'SILENT_REGION', array_length(silent_regions) > 0
        ) AS key_codes
    FROM (
        SELECT
            *,
            CASE
                WHEN NOT has_key THEN 'UNKNOWN'
                WHEN is_off AND status_age_days <= $max_inventory_days THEN 'INACTIVE'
                WHEN in_use THEN 'USED'
                WHEN NOT in_inventory OR inventory_is_old OR NOT iam_last_used_known THEN 'UNKNOWN'
                WHEN is_young THEN 'NEVER_USED_YOUNG'
                WHEN changed_since_asked OR asked_too_early OR is_off THEN 'UNKNOWN'
                WHEN last_used IS NOT NULL THEN 'STALE'
                ELSE 'NEVER_USED'
            END AS standing
        FROM key_gaps
    ) AS placed
)
