-- title: Every IAM user known at as_of, root among them, with all that is known of its use
-- comment: One row per user. A user is judged by its credentials: its password, its keys, and those for single services, SSH and
--   certificates; idle counts from the newest of its uses and of the making of the newest credential, since IAM forgets the last
--   use of a credential that was deleted. Silence counts up to known_until only, the oldest word of IAM that the answer rests
--   on. What the logs show changed since then makes that word one about another thing.
--   standing: ROOT_KEYS, ROOT_NO_MFA, ROOT, NO_CREDENTIALS, USED, UNUSED, NEVER_USED, NEVER_USED_YOUNG or UNKNOWN; user_codes is
--   what it rests on. For a report with threshold_days, grace_days and max_inventory_days.
-- with: keys

user_words AS MATERIALIZED (
    SELECT
        iam_users.*,
        CASE WHEN console_password IS NULL THEN coalesce(users_read_at, iam_users.snapshot_time)
            ELSE coalesce(report_read_at, users_read_at, iam_users.snapshot_time) END AS password_read_at,
        coalesce(
            CASE WHEN console_password IS NULL OR report_read_at IS NULL THEN users_from_file ELSE report_from_file OR users_from_file END,
            false
        ) AS from_file
    FROM iam_users
    JOIN snapshot_reads
        ON iam_users.snapshot_id = snapshot_reads.snapshot_id
        AND iam_users.account_id = snapshot_reads.account_id
),
-- What all snapshots say of a user together: details tell of no password, and a credential report of no tags.
user_history AS MATERIALIZED (
    SELECT
        account_id,
        user_name,
        created,
        max(password_last_used) AS password_last_used,
        last_value(console_password ORDER BY password_read_at) FILTER (WHERE console_password IS NOT NULL) AS console_password,
        last_value(mfa_active ORDER BY password_read_at) FILTER (WHERE mfa_active IS NOT NULL) AS mfa_active,
        max(password_last_changed) AS password_last_changed,
        max(last_used) AS told_use,
        last_value(unshown_credentials ORDER BY password_read_at) FILTER (WHERE unshown_credentials IS NOT NULL) AS unshown_credentials,
        last_value(from_file ORDER BY password_read_at) AS password_from_file,
        max(password_read_at) FILTER (WHERE console_password IS NOT NULL OR password_last_used IS NOT NULL OR is_root)
            AS password_read_at
    FROM user_words
    GROUP BY account_id, user_name, created
),
user_inventory AS (
    SELECT
        user_words.* EXCEPT (
            last_used, password_last_used, console_password, mfa_active, password_last_changed, password_read_at, from_file,
            unshown_credentials
        ),
        user_history.* EXCEPT (account_id, user_name, created),
        inventory_then.read_at AS users_read,
        CASE WHEN from_file OR password_from_file THEN 'file' ELSE inventory_then.time_from END AS time_from
    FROM user_words
    JOIN inventory_then
        ON user_words.snapshot_id = inventory_then.snapshot_id
        AND user_words.account_id = inventory_then.account_id
        AND inventory_then.part = 'users'
    JOIN user_history
        ON user_words.account_id = user_history.account_id
        AND user_words.user_name = user_history.user_name
        AND user_words.created IS NOT DISTINCT FROM user_history.created
),
-- Sessions of AssumeRoot act as root without any credential of root's.
root_sessions AS (
    SELECT DISTINCT issued_access_key_id AS root_session_key
    FROM credential_events
    WHERE event_name = 'AssumeRoot' AND issued_access_key_id IS NOT NULL
),
user_uses AS (
    SELECT
        activity.account_id,
        CASE WHEN principal_type = 'Root' THEN '<root_account>' ELSE coalesce(known.user_name, activity.user_name) END AS user_name,
        max(principal_arn) AS user_arn,
        max(least(last_time, $as_of)) AS ct_last_used,
        last_value(sample_event_id ORDER BY last_time, sample_event_id) AS use_event_id
    FROM activity
    LEFT ANTI JOIN root_sessions ON principal_type = 'Root' AND access_key_id = root_session_key
    -- A renamed user keeps its id; and the other account's copy of a call has the id alone.
    LEFT JOIN (
        SELECT account_id, user_id, last_value(user_name ORDER BY snapshot_time, user_name) AS user_name
        FROM iam_users
        WHERE user_id IS NOT NULL AND snapshot_time <= $as_of
        GROUP BY account_id, user_id
    ) AS known
        ON activity.account_id = known.account_id AND principal_id = known.user_id
    WHERE (principal_type IN ('IAMUser', 'Root') OR (principal_type = 'AWSAccount' AND known.user_id IS NOT NULL))
        -- The same again of activity alone, which keeps the sessions of roles out of the join.
        AND principal_type IN ('IAMUser', 'Root', 'AWSAccount')
        AND first_time < $as_of
        -- What a service does in root's name, nobody signed in for.
        AND (principal_type <> 'Root' OR invoked_by IS NULL)
        -- What the sign-in pages write (a second factor asked for, a password forgotten) is no use; sign-ins are counted below.
        AND (event_source <> 'signin.amazonaws.com' OR (error_code IS NULL AND credential_kind <> 'none'))
        AND (principal_type = 'Root' OR coalesce(known.user_name, activity.user_name) IS NOT NULL)
    GROUP BY 1, 2
),
sign_ins AS (
    SELECT
        caller_account_id AS account_id,
        CASE WHEN caller_type = 'Root' THEN '<root_account>' ELSE caller_user_name END AS user_name,
        max(event_time) AS last_sign_in,
        last_value(event_id ORDER BY event_time, event_id) AS sign_in_event_id
    FROM credential_events
    WHERE event_name = 'ConsoleLogin'
        AND outcome = 'success'
        AND caller_type IN ('IAMUser', 'Root')
        AND event_time < $as_of
    GROUP BY 1, 2
),
user_keys AS (
    SELECT
        account_id,
        user_name,
        sum(CASE WHEN in_inventory AND status = 'Active' THEN 1 ELSE 0 END) AS active_keys,
        sum(CASE WHEN in_inventory AND status <> 'Active' THEN 1 ELSE 0 END) AS inactive_keys,
        bool_or(in_inventory AND status IS NULL) AS has_key_of_unknown_status,
        max(last_used) AS key_last_used,
        max(greatest(created, renewed)) AS newest_key,
        bool_and(NOT in_inventory OR iam_last_used_known) AS keys_known,
        bool_or(in_inventory) AS keys_listed,
        bool_or(in_inventory AND inventory_time_from = 'file') AS keys_from_file,
        min(CASE WHEN in_inventory THEN known_until END) AS keys_until,
        array_sort(array_agg(concat(coalesce(access_key_id, concat('slot ', slot)), ' ', coalesce(status, 'status unknown'))))
            AS keys
    -- As far as a key's own facts go: whether it is idle is not asked here.
    FROM key_rows
    GROUP BY account_id, user_name
),
-- Of keys too that are gone: IAM forgets their last use, and an earlier inventory has it.
key_memory AS (
    SELECT account_id, user_name, max(last_used) AS remembered_use
    FROM key_words
    GROUP BY account_id, user_name
),
other_credentials AS (
    SELECT
        iam_credentials.account_id,
        user_name,
        array_sort(array_agg(concat_ws(' ', replace(kind, '_', ' '), service, credential_id, status))) AS other_credentials,
        bool_or(coalesce(status, 'Active') = 'Active') AS has_others,
        max(created) FILTER (WHERE coalesce(status, 'Active') = 'Active') AS newest_other
    FROM iam_credentials
    JOIN inventory_then
        ON iam_credentials.snapshot_id = inventory_then.snapshot_id
        AND iam_credentials.account_id = inventory_then.account_id
        AND inventory_then.part = CASE kind WHEN 'service_specific' THEN 'service_specific_credentials' ELSE concat(kind, 's') END
    WHERE kind <> 'mfa_device'
    GROUP BY iam_credentials.account_id, user_name
),
others_read AS (
    SELECT
        account_id,
        bool_or(part = 'service_specific_credentials') AS for_services_read,
        bool_or(part = 'ssh_public_keys') AS ssh_keys_read,
        bool_or(part = 'signing_certificates') AS certificates_read,
        min(known_until) AS others_until,
        bool_or(time_from = 'file') AS others_from_file
    FROM inventory_then
    WHERE part IN ('service_specific_credentials', 'ssh_public_keys', 'signing_certificates')
        AND known_until
            >= arrow_cast($as_of, 'Timestamp(Microsecond, Some("UTC"))') - arrow_cast($max_inventory_days * 86400000000, 'Duration(Microsecond)')
    GROUP BY account_id
),
user_changes AS (
    SELECT
        recipient_account_id AS account_id,
        target_name AS user_name,
        max(event_time) AS changed,
        max(CASE WHEN event_name = 'DeleteUser' THEN event_time END) AS deleted,
        max(CASE WHEN event_name = 'CreateUser' THEN event_time END) AS made,
        max(CASE WHEN event_name IN ('CreateServiceSpecificCredential', 'UploadSSHPublicKey', 'UploadSigningCertificate')
            THEN event_time END) AS other_made,
        max(CASE WHEN event_name IN ('DeleteServiceSpecificCredential', 'DeleteSSHPublicKey', 'DeleteSigningCertificate')
            THEN event_time END) AS other_gone
    FROM iam_changes
    WHERE target_type IN (
            'user', 'access_key', 'login_profile', 'password', 'service_specific_credential', 'ssh_public_key', 'signing_certificate'
        )
        AND outcome = 'success'
        AND target_name IS NOT NULL
        AND event_name NOT LIKE '%agUser'
        AND event_time < $as_of
    GROUP BY 1, 2
),
user_snapshots AS (
    SELECT account_id, read_at AS inventory_time FROM inventory_then WHERE part = 'users'
),
named AS (
    SELECT
        coalesce(kept.account_id, used.account_id) AS account_id,
        coalesce(kept.user_name, used.user_name) AS user_name,
        coalesce(kept.user_arn, used.user_arn) AS user_arn,
        kept.snapshot_id IS NOT NULL AS in_inventory,
        coalesce(kept.is_root, used.user_name = '<root_account>', false) AS is_root,
        kept.created,
        kept.console_password,
        kept.password_last_used,
        kept.told_use,
        CASE WHEN kept.console_password THEN kept.password_last_changed END AS password_last_changed,
        kept.password_read_at,
        kept.mfa_active,
        kept.signing_certificates,
        kept.service_specific_credentials,
        -- Keys or certificates that the report counts and does not show.
        coalesce(kept.unshown_credentials > 0, false) AS has_unshown,
        kept.users_read,
        kept.time_from AS inventory_time_from,
        used.ct_last_used,
        used.use_event_id
    FROM user_inventory AS kept
    FULL JOIN user_uses AS used ON kept.account_id = used.account_id AND kept.user_name = used.user_name
),
user_evidence AS (
    SELECT
        named.* EXCEPT (password_last_used, signing_certificates, told_use, inventory_time_from, has_unshown),
        CASE WHEN keys_from_file OR others_from_file THEN 'file' ELSE named.inventory_time_from END AS inventory_time_from,
        greatest(named.password_last_used, last_sign_in) AS password_last_used,
        named.console_password IS NOT NULL OR named.password_last_used IS NOT NULL AS password_known,
        sign_in_event_id,
        coalesce(active_keys, 0) AS active_keys,
        coalesce(inactive_keys, 0) AS inactive_keys,
        user_keys.keys,
        key_last_used,
        -- A user without keys has none only where all the account's keys were listed.
        coalesce(keys_known, true)
            AND NOT coalesce(has_key_of_unknown_status, false)
            AND (key_snapshots.keys_known_until IS NOT NULL OR coalesce(keys_listed, false)) AS keys_known,
        greatest(named.password_last_used, last_sign_in, key_last_used, ct_last_used, remembered_use, told_use) AS last_used,
        greatest(named.password_last_used, remembered_use, told_use) AS iam_last_used,
        greatest(named.created, named.password_last_changed, newest_key, newest_other) AS newest_credential,
        other_credentials,
        has_unshown
            OR coalesce(has_others, false)
            OR coalesce(array_length(named.service_specific_credentials) > 0, false) AS has_others,
        coalesce(other_made > coalesce(other_gone, arrow_cast(0, 'Timestamp(Microsecond, Some("UTC"))')), false) AS others_in_logs,
        nullif(concat_ws(
            ', ',
            CASE WHEN NOT coalesce(for_services_read, false) THEN 'credentials for single services' END,
            CASE WHEN NOT coalesce(ssh_keys_read, false) THEN 'SSH keys' END,
            CASE WHEN NOT coalesce(certificates_read, false) THEN 'signing certificates' END
        ), '') AS unread_credentials,
        coalesce(signing_certificates, 0) > 0 AS has_certificates,
        changed,
        coalesce(made > users_read, false) AS made_again,
        user_snapshots.inventory_time,
        least(password_read_at - INTERVAL '4 hours', coalesce(keys_until, key_snapshots.keys_known_until), others_until) AS known_until,
        coalesce(held.coverage, 0.0) AS coverage,
        held.verified,
        held.silent_regions,
        CASE
            WHEN inventory_later.account_id IS NOT NULL THEN 'INVENTORY_LATER_THAN_AS_OF'
            WHEN user_snapshots.inventory_time IS NULL THEN 'NO_INVENTORY'
            WHEN NOT in_inventory THEN 'NOT_IN_INVENTORY'
        END AS inventory_code
    FROM named
    LEFT JOIN sign_ins ON named.account_id = sign_ins.account_id AND named.user_name = sign_ins.user_name
    LEFT JOIN user_keys ON named.account_id = user_keys.account_id AND named.user_name = user_keys.user_name
    LEFT JOIN key_memory ON named.account_id = key_memory.account_id AND named.user_name = key_memory.user_name
    LEFT JOIN key_snapshots ON named.account_id = key_snapshots.account_id
    LEFT JOIN other_credentials ON named.account_id = other_credentials.account_id AND named.user_name = other_credentials.user_name
    LEFT JOIN others_read ON named.account_id = others_read.account_id
    LEFT JOIN user_changes ON named.account_id = user_changes.account_id AND named.user_name = user_changes.user_name
    LEFT JOIN user_snapshots ON named.account_id = user_snapshots.account_id
    LEFT JOIN inventory_later ON named.account_id = inventory_later.account_id
    LEFT JOIN held ON named.account_id = held.account_id
    LEFT JOIN logged_accounts ON named.account_id = logged_account_id
    WHERE (user_snapshots.account_id IS NOT NULL OR logged_account_id IS NOT NULL)
        AND NOT coalesce(
            deleted > coalesce(made, arrow_cast(0, 'Timestamp(Microsecond, Some("UTC"))'))
            AND deleted >= coalesce(users_read, ct_last_used, deleted),
            false
        )
),
user_ages AS (
    SELECT
        *,
        days_between(created, $as_of) AS age_days,
        days_between(newest_credential, $as_of) AS credential_age_days,
        days_between(greatest(newest_credential, last_used), known_until) AS days_idle_known,
        days_between(greatest(newest_credential, last_used), $as_of) AS days_idle_now,
        days_between(last_used, $as_of) AS days_since_use,
        CASE WHEN iam_last_used >= last_used THEN 'iam' WHEN last_used IS NOT NULL THEN 'logs' END AS last_used_by,
        greatest(days_between(inventory_time, $as_of), days_between(known_until + INTERVAL '4 hours', $as_of)) AS knowledge_age_days,
        coalesce(changed > known_until, false) AS changed_since_asked,
        unread_credentials IS NOT NULL AS others_unread,
        -- Of a credential that was there before it nothing may be known any more.
        coalesce(newest_credential > created + INTERVAL '1 day', false) AS had_others_before,
        CASE
            WHEN is_root THEN CASE WHEN password_last_used IS NULL THEN 'NEVER_USED' WHEN days_between(password_last_used, $as_of)
                <= $threshold_days THEN 'USED' ELSE 'UNUSED' END
            WHEN NOT console_password THEN 'NONE'
            WHEN days_between(password_last_used, $as_of) <= $threshold_days THEN 'USED'
            -- That the logs show an old sign-in is no word of IAM's on those since.
            WHEN NOT password_known THEN 'UNKNOWN'
            WHEN password_last_used IS NULL THEN 'NEVER_USED'
            ELSE 'UNUSED'
        END AS password
    FROM user_evidence
),
user_gaps AS (
    SELECT
        *,
        coalesce(days_since_use <= $threshold_days, false) AS in_use,
        coalesce(
            least(known_until, inventory_time)
                < arrow_cast($as_of, 'Timestamp(Microsecond, Some("UTC"))') - arrow_cast($max_inventory_days * 86400000000, 'Duration(Microsecond)'),
            false
        ) AS inventory_is_old,
        last_used IS NULL AND coalesce(credential_age_days < $grace_days, false) AS is_young,
        has_others OR (others_in_logs AND others_unread) AS others_there,
        -- IAM was asked too soon after the last use, or after the newest credential was made, for its silence to say anything.
        coalesce(
            greatest(newest_credential, last_used) > known_until
                OR days_idle_known <= CASE WHEN last_used IS NULL AND NOT had_others_before THEN $grace_days - 1 ELSE $threshold_days END,
            true
        ) AS asked_too_early
    FROM user_ages
),
users AS (
    SELECT
        *,
        CASE WHEN standing = 'USED' THEN days_idle_now ELSE days_idle_known END AS days_idle,
        codes(
            CASE standing
                WHEN 'ROOT_KEYS' THEN 'ROOT_KEY'
                WHEN 'ROOT' THEN 'ROOT_AT_REST'
                WHEN 'ROOT_NO_MFA' THEN 'ROOT_AT_REST'
                WHEN 'USED' THEN 'IN_USE'
                WHEN 'UNUSED' THEN 'IDLE_TOO_LONG'
                WHEN 'NEVER_USED' THEN 'NEVER_USED'
                WHEN 'NEVER_USED_YOUNG' THEN 'CREDENTIAL_YOUNG'
                WHEN 'NO_CREDENTIALS' THEN 'NO_CREDENTIALS'
            END, true,
            'IN_USE', standing = 'ROOT_KEYS' AND in_use,
            'OTHER_CREDENTIALS', others_there,
            'NO_PASSWORD_NO_KEY', standing = 'UNKNOWN' AND password = 'NONE' AND active_keys = 0,
            'OTHER_CREDENTIALS_UNREAD', others_unread AND in_inventory AND NOT is_root,
            'INACTIVE_KEY', standing <> 'USED' AND inactive_keys > 0,
            'PASSWORD_UNUSED', in_inventory AND password IN ('UNUSED', 'NEVER_USED') AND standing = 'USED' AND NOT is_root,
            'NO_MFA', (console_password OR is_root) AND NOT mfa_active,
            inventory_code, true,
            'STALE_INVENTORY', inventory_is_old,
            'PASSWORD_UNKNOWN', in_inventory AND password = 'UNKNOWN',
            'KEYS_UNKNOWN', in_inventory AND NOT keys_known,
            'CHANGED_SINCE_INVENTORY', changed_since_asked AND in_inventory AND standing = 'UNKNOWN',
            'ASKED_TOO_EARLY', standing = 'UNKNOWN' AND in_inventory AND keys_known AND NOT inventory_is_old AND password <> 'UNKNOWN'
                AND NOT changed_since_asked AND NOT others_there AND asked_too_early,
            'TIME_FROM_FILE', inventory_time_from = 'file',
            'NO_LOGS', coverage = 0,
            'PARTIAL_LOGS', coverage > 0 AND coverage < 0.9,
            'SILENT_REGION', array_length(silent_regions) > 0
        ) AS user_codes
    FROM (
        SELECT
            *,
            CASE
                WHEN is_root AND active_keys > 0 THEN 'ROOT_KEYS'
                WHEN in_use THEN 'USED'
                WHEN is_root AND in_inventory AND NOT coalesce(mfa_active, true) THEN 'ROOT_NO_MFA'
                WHEN is_root AND in_inventory THEN 'ROOT'
                WHEN NOT in_inventory OR inventory_is_old OR NOT password_known OR NOT keys_known OR others_there THEN 'UNKNOWN'
                WHEN is_young THEN 'NEVER_USED_YOUNG'
                WHEN made_again OR changed_since_asked OR asked_too_early THEN 'UNKNOWN'
                WHEN password = 'NONE' AND active_keys = 0 AND NOT has_certificates
                    THEN CASE WHEN others_unread THEN 'UNKNOWN' ELSE 'NO_CREDENTIALS' END
                WHEN last_used IS NOT NULL THEN 'UNUSED'
                ELSE 'NEVER_USED'
            END AS standing
        FROM user_gaps
    ) AS placed
)
