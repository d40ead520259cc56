-- title: Every long-term access key known at as_of, with all that is known of its use
-- comment: One row per key. Its evidence is, by source, what IAM said and until when (known_until), what the logs show used until
--   as_of, and what they show changed. Silence counts up to known_until only: days_idle ends there. Keys of the inventory and of the
--   logs meet by key id. A credential report holds no ids: such a key has a slot instead, and a use of its user's by a key of
--   unknown id that IAM's last uses do not account for is counted for it, since it may be this one. Sessions that a key opened
--   (GetSessionToken, GetFederationToken) count as its use. Keys that the logs show deleted are left out. An account that is
--   in the logs, and whose keys no inventory tells, has a row without a key.
--   standing: USED, STALE, NEVER_USED, NEVER_USED_YOUNG, INACTIVE or UNKNOWN; key_codes is what it rests on. For a report with
--   threshold_days, grace_days and max_inventory_days.
-- with: held, logged_accounts, key_words, data_events, key_children

-- What keys of users and their sessions signed, a row per key (and, of sessions' keys, whose ids come back, per session and day). What
-- an aggregated event says of a user names no key.
key_signed AS MATERIALIZED (
    SELECT
        access_key_id,
        account_id,
        user_name,
        CASE WHEN credential_kind <> 'long_term' THEN session_created END AS session_created,
        CASE WHEN credential_kind <> 'long_term' THEN event_date END AS day,
        bool_and(principal_type = 'IAMUser' AND sign_in_session_arn IS NULL) AS of_user,
        last_value(principal_arn ORDER BY last_time, principal_arn) FILTER (WHERE principal_arn IS NOT NULL) AS principal_arn,
        min(principal_id) AS principal_id,
        min(first_time) AS first_time,
        max(least(last_time, $as_of)) AS last_time,
        sum(event_count) FILTER (WHERE last_time >= $from AND first_time < $to) AS calls,
        first_value(sample_event_id ORDER BY first_time, sample_event_id) AS first_event_id,
        last_value(sample_event_id ORDER BY last_time, sample_event_id) AS last_event_id
    FROM activity
    WHERE first_time < $as_of
        AND (
            credential_kind = 'long_term'
            OR (credential_kind = 'temporary' AND principal_type IN ('IAMUser', 'FederatedUser', 'Root'))
            OR (event_category = 'Aggregated' AND principal_type = 'IAMUser')
        )
    GROUP BY 1, 2, 3, 4, 5
),
key_uses AS (
    SELECT
        coalesce(parent_key_id, access_key_id) AS access_key_id,
        min(account_id) AS account_id,
        -- Of a key that is seen in its sessions alone, the call that opened them says whose it is.
        coalesce(
            last_value(user_name ORDER BY last_time, user_name) FILTER (WHERE user_name IS NOT NULL AND parent_key_id IS NULL),
            max(parent_user_name)
        ) AS user_name,
        coalesce(
            last_value(principal_arn ORDER BY last_time, principal_arn)
                FILTER (WHERE principal_arn IS NOT NULL AND parent_key_id IS NULL),
            max(parent_arn)
        ) AS user_arn,
        coalesce(min(principal_id) FILTER (WHERE parent_key_id IS NULL), max(parent_user_id)) AS user_id,
        min(first_time) AS first_used,
        max(last_time) FILTER (WHERE parent_key_id IS NULL) AS last_used_itself,
        max(last_time) FILTER (WHERE parent_key_id IS NOT NULL) AS last_used_by_sessions,
        sum(calls) AS calls,
        first_value(first_event_id ORDER BY first_time, first_event_id) AS first_event_id,
        last_value(last_event_id ORDER BY last_time, last_event_id) AS last_event_id
    FROM key_signed
    LEFT JOIN key_children
        ON access_key_id = child_key_id AND first_time >= issued_time AND first_time <= expires
    WHERE parent_key_id IS NOT NULL OR access_key_id LIKE 'AKIA%'
    GROUP BY 1
),
-- Sessions of a user that no key is known to have opened, nor a sign-in: any of the user's keys may have. So may any have signed what an
-- aggregated event says of the user. A sign-in session is opened from the browser, never with a key.
user_sessions AS (
    SELECT account_id AS session_account_id, user_name AS session_user_name, max(last_time) AS last_session
    FROM (SELECT * FROM key_signed WHERE day IS NOT NULL AND of_user) AS signed
    LEFT ANTI JOIN key_children ON access_key_id = child_key_id AND first_time >= issued_time AND first_time <= expires
    LEFT ANTI JOIN sign_ins_seen
        ON account_id = caller_account_id
        AND user_name = caller_user_name
        AND session_created >= event_time - INTERVAL '5 seconds'
        AND session_created <= event_time + INTERVAL '5 seconds'
    GROUP BY 1, 2
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
key_changes AS MATERIALIZED (
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
-- What all snapshots say of a key together. What one saw active was not inactive since a record before it; and what one saw
-- inactive was so before a record after it. What one saw inactive, and a later one active, was switched on between the two.
key_history AS MATERIALIZED (
    SELECT
        seen.account_id,
        seen.access_key_id,
        max(use_read_at) AS use_read_at,
        last_value(from_file ORDER BY use_read_at NULLS FIRST) AS use_from_file,
        max(last_used) AS last_used,
        last_value(last_used_service ORDER BY last_used NULLS FIRST, use_read_at NULLS FIRST) AS last_used_service,
        last_value(last_used_region ORDER BY last_used NULLS FIRST, use_read_at NULLS FIRST) AS last_used_region,
        max(CASE WHEN seen.status = 'Active' THEN status_read_at END) AS seen_active,
        max(CASE WHEN seen.status <> 'Active' AND status_read_at < inactive_since THEN status_read_at END) AS seen_inactive,
        max(renewed) AS told_renewed,
        max(seen_off) AS seen_off,
        min(CASE WHEN seen.status = 'Active' AND status_read_at > seen_off THEN status_read_at END) AS on_again_by
    FROM (
        SELECT
            *,
            max(CASE WHEN status <> 'Active' THEN status_read_at END) OVER (PARTITION BY account_id, access_key_id) AS seen_off
        FROM key_words
        WHERE access_key_id IS NOT NULL
    ) AS seen
    LEFT JOIN key_changes ON seen.access_key_id = key_changes.access_key_id
    GROUP BY seen.account_id, seen.access_key_id
),
-- The newest reading of all keys of an account, and later ones of some users'.
key_listings AS (
    SELECT account_id, snapshot_id, read_at, time_from
    FROM inventory_then
    WHERE part = 'access_keys'
    UNION ALL
    SELECT partly.account_id, partly.snapshot_id, partly.read_at, partly.time_from
    FROM inventory_parts AS partly
    LEFT JOIN inventory_then AS whole ON partly.account_id = whole.account_id AND whole.part = 'access_keys'
    WHERE partly.part = 'access_keys_of_some' AND coalesce(partly.read_at > whole.read_at, true)
),
key_inventory AS (
    SELECT
        key_words.* EXCEPT (
            use_read_at, known_until, renewed, from_file, time_from, place, last_used, last_used_service, last_used_region
        ),
        coalesce(key_history.use_read_at, key_words.use_read_at) AS use_read_at,
        coalesce(key_history.last_used, key_words.last_used) AS last_used,
        coalesce(key_history.last_used_service, key_words.last_used_service) AS last_used_service,
        coalesce(key_history.last_used_region, key_words.last_used_region) AS last_used_region,
        seen_active,
        seen_inactive,
        coalesce(key_history.told_renewed, key_words.renewed) AS told_renewed,
        seen_off,
        on_again_by,
        CASE WHEN from_file OR use_from_file THEN 'file' ELSE time_from END AS time_from
    FROM (
        SELECT
            key_words.*,
            time_from,
            rank() OVER (PARTITION BY key_words.account_id, user_name ORDER BY listing.read_at DESC, listing.snapshot_id DESC) AS place
        FROM key_words
        JOIN key_listings AS listing
            ON key_words.snapshot_id = listing.snapshot_id AND key_words.account_id = listing.account_id
    ) AS key_words
    LEFT JOIN key_history
        ON key_words.account_id = key_history.account_id AND key_words.access_key_id = key_history.access_key_id
    WHERE place = 1
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
        -- What the logs saw later than IAM was read; IAM takes a moment to have a change everywhere.
        CASE
            WHEN kept.snapshot_id IS NULL OR logged.status_changed > kept.status_read_at - INTERVAL '1 minute'
                THEN coalesce(logged.status, kept.status)
            ELSE kept.status
        END AS told_status,
        CASE
            WHEN kept.snapshot_id IS NULL OR logged.status_changed > kept.status_read_at - INTERVAL '1 minute' THEN logged.status_changed
            ELSE kept.status_read_at
        END AS status_as_of,
        logged.status_changed,
        -- Only the logs tell when. The report's last_rotated does not: it is the day of creation where nothing was changed,
        -- or where the change is younger than the report; and a record of the creation is no deactivation.
        CASE
            WHEN logged.status = 'Inactive'
                AND coalesce(logged.inactive_since > seen_active, true)
                AND (seen_inactive IS NULL OR coalesce(seen_inactive < logged.last_activated, false))
                -- The report knows of a later change, which the logs do not have.
                AND NOT coalesce(kept.last_rotated > logged.inactive_since + INTERVAL '1 minute', false)
                THEN logged.inactive_since
        END AS told_deactivated,
        coalesce(kept.created, logged.created, kept.last_rotated) AS created,
        logged.created_by,
        -- Of one that came back where no log tells, only the word that saw it so says when at the latest.
        greatest(
            logged.last_activated,
            kept.told_renewed,
            CASE WHEN NOT coalesce(greatest(logged.last_activated, kept.told_renewed) > seen_off, false) THEN on_again_by END
        ) AS renewed,
        kept.last_used AS iam_last_used,
        kept.last_used_service AS iam_last_used_service,
        kept.last_used_region AS iam_last_used_region,
        kept.use_read_at IS NOT NULL AS iam_last_used_known,
        kept.use_read_at,
        CASE WHEN logged.inactive_since IS NOT NULL THEN kept.rotated_read_at END AS rotated_read_at,
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
-- What was a user's before may be another name's since: keys without an id go by the name alone.
user_renames AS (
    SELECT recipient_account_id AS renamed_account_id, target_name AS renamed_user, max(event_time) AS renamed
    FROM iam_changes
    WHERE event_name = 'UpdateUser' AND outcome = 'success' AND event_time < $as_of
    GROUP BY 1, 2
),
key_neighbours AS (
    SELECT
        key_facts.*,
        renamed,
        bool_or(in_inventory AND access_key_id IS NULL) OVER (PARTITION BY account_id, user_name) AS user_lacks_key_ids,
        max(CASE WHEN NOT in_inventory AND status IS DISTINCT FROM 'Deleted' THEN ct_last_used END)
            OVER (PARTITION BY account_id, user_name) AS unmatched_last_used,
        max(CASE WHEN NOT in_inventory THEN status_changed END) OVER (PARTITION BY account_id, user_name) AS unmatched_changed,
        max(CASE WHEN NOT in_inventory AND status = 'Active' THEN status_changed END) OVER (PARTITION BY account_id, user_name)
            AS unmatched_activated,
        max(CASE WHEN in_inventory THEN iam_last_used END) OVER (PARTITION BY account_id, user_name) AS user_iam_last_used,
        last_value(CASE WHEN NOT in_inventory THEN last_event_id END) OVER (
            PARTITION BY account_id, user_name
            ORDER BY CASE WHEN NOT in_inventory THEN ct_last_used END NULLS FIRST, access_key_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS unmatched_event_id
    FROM key_facts
    LEFT JOIN user_renames ON account_id = renamed_account_id AND user_name = renamed_user
),
key_rows AS MATERIALIZED (
    SELECT
        * EXCEPT (
            status, ct_last_used, status_changed, renamed, unmatched_last_used, unmatched_changed, unmatched_activated, user_iam_last_used,
            unmatched_event_id, user_lacks_key_ids, in_inventory
        ),
        -- It may be the one that was switched on since.
        CASE WHEN NOT (in_inventory AND access_key_id IS NULL AND coalesce(unmatched_activated > status_read_at, false)) THEN status END
            AS status,
        true AS has_key,
        in_inventory,
        NOT in_inventory AND user_lacks_key_ids AS may_be_a_slot,
        counts_for_user AS used_by_unknown_key,
        greatest(ct_last_used, CASE WHEN counts_for_user THEN unmatched_last_used END) AS ct_last_used,
        greatest(iam_last_used, ct_last_used, CASE WHEN counts_for_user THEN unmatched_last_used END) AS last_used,
        use_read_at - INTERVAL '4 hours' AS known_until,
        CASE WHEN counts_for_user THEN unmatched_event_id END AS unmatched_event_id,
        -- A change of a key of unknown id may be of this one.
        CASE WHEN in_inventory AND access_key_id IS NULL THEN greatest(status_changed, unmatched_changed, renamed) ELSE status_changed END
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
        greatest(created, renewed, last_used) AS idle_since,
        coalesce(held.coverage, 0.0) AS coverage,
        held.verified,
        held.silent_regions,
        held.held_from,
        last_session,
        -- What the inventory leaves open about the key.
        CASE
            WHEN inventory_later.account_id IS NOT NULL THEN 'INVENTORY_LATER_THAN_AS_OF'
            WHEN keys_read_at IS NULL AND NOT in_inventory THEN 'NO_INVENTORY'
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
    LEFT JOIN user_sessions ON key_rows.account_id = session_account_id AND key_rows.user_name = session_user_name
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
        coalesce(renewed > created + INTERVAL '1 minute', false) AS was_off,
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
        coalesce(last_session > known_until, false) AS session_since_asked,
        -- IAM was asked too soon after the last use, or after the key was made, for its silence to say anything.
        coalesce(
            idle_since > known_until
                OR days_idle_known <= CASE WHEN last_used IS NULL AND NOT was_off THEN $grace_days - 1 ELSE $threshold_days END,
            true
        ) AS asked_too_early
    FROM key_ages
),
keys AS MATERIALIZED (
    SELECT
        *,
        CASE WHEN standing = 'USED' THEN days_idle_now ELSE days_idle_known END AS days_idle,
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
            'SESSION_OF_UNKNOWN_KEY', standing = 'UNKNOWN' AND session_since_asked,
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
                WHEN changed_since_asked OR session_since_asked OR asked_too_early OR is_off THEN 'UNKNOWN'
                WHEN last_used IS NOT NULL THEN 'STALE'
                ELSE 'NEVER_USED'
            END AS standing
        FROM key_gaps
    ) AS placed
)
