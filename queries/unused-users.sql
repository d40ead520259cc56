-- title: Unused users
-- question: Which IAM users, passwords and root keys can go, and whose owner has left?
-- with: keys, directory
-- params:
--   as_of: timestamp = now; the answer's "now": inventory, logs and ages as they were then; to counts from it
--   days: integer = 90; the window before to over which coverage is counted; older uses count as uses too
--   from: timestamp = null; start of the window, instead of days
--   to: timestamp = null; end of the window; as_of if not given. The last use counts until as_of
--   account: text = null; only this account
--   role: text = null; only users that took this role: ARN, account/name, or name
--   threshold_days: integer = 45; a user that has been idle for more days than this is unused
--   grace_days: integer = 7; a user that was never used and is younger than this is not yet called unused
--   max_inventory_days: integer = 7; an inventory older than this proves no idleness
-- columns:
--   account_id: account of the user
--   user_name: the user; <root_account> for root
--   state: LEAVER (the directory says that the person has left); ROOT_KEYS (root has active keys); NO_CREDENTIALS (nothing to sign
--     in or call with); USED; UNUSED; NEVER_USED; NEVER_USED_YOUNG; UNKNOWN (what is known is not enough, see reasons)
--   password: NONE, USED, UNUSED, NEVER_USED, or UNKNOWN
--   password_last_used: last sign-in with the password as IAM knows it, or in the logs, whichever is later
--   active_keys: access keys that are active
--   key_last_used: last use of one of its keys, by IAM or in the logs
--   keys: its keys, by id, else by slot, with their status
--   service_specific_credentials: credentials for single services, of which IAM tells no last use
--   mfa_active: whether it has a device for multi-factor authentication
--   created: when the user was made
--   age_days: whole days since then
--   last_used: last use of any of its credentials
--   ct_last_used: last record in the logs of this user, by whatever credential
--   days_idle: whole days since the later of created and last_used
--   leaver: what the directory says: inactive, or absent; null where it says nothing against the user
--   user_arn: ARN of the user
--   inventory_time: when the inventory of the account's users was taken
--   confidence: high, medium or low
--   reason_codes: what the state rests on, and what is not known
--   reasons: the same in words
--   coverage: days of the window that the account's logs cover, 0 to 1
--   evidence_event_ids: event ids to look up: the last sign-in, the last use
-- findings: state in (LEAVER, ROOT_KEYS, NO_CREDENTIALS, UNUSED, NEVER_USED)
-- subject: user_arn
-- key: account_id, user_name
-- watch: password, active_keys, mfa_active
-- screen: account_id, user_name, state, password, active_keys, reasons
-- pitfall: A user without password and keys may still hold credentials for single services, whose use neither IAM nor the logs
--   tell. And a person is matched by name or e-mail address, which is a hint: ask before deleting.

WITH user_inventory AS (
    SELECT iam_users.*
    FROM iam_users
    JOIN inventory_then
        ON iam_users.snapshot_id = inventory_then.snapshot_id
        AND iam_users.account_id = inventory_then.account_id
        AND inventory_then.part = 'users'
),
user_uses AS (
    SELECT
        account_id,
        CASE WHEN principal_type = 'Root' THEN '<root_account>' ELSE user_name END AS user_name,
        max(principal_arn) AS user_arn,
        max(least(last_time, $as_of)) AS ct_last_used,
        last_value(sample_event_id ORDER BY last_time, sample_event_id) AS use_event_id
    FROM activity
    WHERE principal_type IN ('IAMUser', 'Root')
        AND first_time < $as_of
        -- What a service does in root's name, nobody signed in for.
        AND (principal_type = 'IAMUser' OR invoked_by IS NULL)
        -- A sign-in that failed is no use.
        AND (event_source <> 'signin.amazonaws.com' OR error_code IS NULL)
        AND event_name <> 'ConsoleLogin'
        AND (principal_type = 'Root' OR user_name IS NOT NULL)
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
role_users AS (
    SELECT DISTINCT caller_account_id AS account_id, arn_name(caller_arn) AS user_name
    FROM credential_events
    WHERE $role IS NOT NULL AND caller_type = 'IAMUser' AND role_is(role_account_id, role_name, $role)
),
user_keys AS (
    SELECT
        account_id,
        user_name,
        sum(CASE WHEN in_inventory AND status = 'Active' THEN 1 ELSE 0 END) AS active_keys,
        max(last_used) AS key_last_used,
        sum(CASE WHEN in_inventory AND status <> 'Active' THEN 1 ELSE 0 END) AS inactive_keys,
        bool_and(iam_last_used_known AND coalesce(knowledge_age_days <= $max_inventory_days, false)) AS keys_known,
        array_sort(array_agg(concat(coalesce(access_key_id, concat('slot ', slot)), ' ', coalesce(status, 'status unknown'))))
            AS keys
    FROM keys
    WHERE has_key
    GROUP BY account_id, user_name
),
user_handles AS (
    SELECT account_id, user_name, lower(user_name) AS handle
    FROM user_inventory
    UNION
    SELECT account_id, user_name, lower(tag.value)
    FROM (SELECT account_id, user_name, unnest(map_entries(tags)) AS tag FROM user_inventory) AS tagged
    WHERE lower(tag.key) IN ('email', 'e-mail', 'mail', 'user', 'username', 'user-name', 'person')
),
leavers AS (
    SELECT
        account_id,
        user_name,
        CASE
            WHEN bool_or(directory_active) THEN NULL
            WHEN bool_or(NOT directory_active) THEN 'inactive'
            -- Somebody of an address that the directory keeps should be in it.
            WHEN bool_or(days_between(domains.directory_time, $as_of) <= $max_inventory_days) THEN 'absent'
        END AS leaver
    FROM user_handles
    LEFT JOIN directory ON user_handles.handle = directory.handle
    LEFT JOIN (
        SELECT split_part(handle, '@', 2) AS domain, max(directory_time) AS directory_time
        FROM directory
        WHERE handle LIKE '%@%'
        GROUP BY 1
    ) AS domains ON split_part(user_handles.handle, '@', 2) = domains.domain
    GROUP BY account_id, user_name
),
user_snapshots AS (
    SELECT account_id, snapshot_time AS inventory_time FROM inventory_then WHERE part = 'users'
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
        kept.mfa_active,
        kept.signing_certificates,
        kept.service_specific_credentials,
        used.ct_last_used,
        used.use_event_id
    FROM user_inventory AS kept
    FULL JOIN user_uses AS used ON kept.account_id = used.account_id AND kept.user_name = used.user_name
),
facts AS (
    SELECT
        named.* EXCEPT (password_last_used),
        greatest(named.password_last_used, sign_ins.last_sign_in) AS password_last_used,
        sign_ins.sign_in_event_id,
        coalesce(user_keys.active_keys, 0) AS active_keys,
        user_keys.key_last_used,
        coalesce(user_keys.inactive_keys, 0) AS inactive_keys,
        coalesce(user_keys.keys_known, days_between(key_snapshots.snapshot_time, $as_of) <= $max_inventory_days, false) AS keys_known,
        user_keys.keys,
        leavers.leaver,
        user_snapshots.inventory_time,
        days_between(user_snapshots.inventory_time, $as_of) AS inventory_age_days,
        inventory_later.account_id IS NOT NULL AS inventory_is_later,
        days_between(named.created, $as_of) AS age_days,
        coalesce(held.coverage, 0.0) AS coverage,
        greatest(named.password_last_used, sign_ins.last_sign_in, user_keys.key_last_used, named.ct_last_used) AS last_used
    FROM named
    LEFT JOIN sign_ins ON named.account_id = sign_ins.account_id AND named.user_name = sign_ins.user_name
    LEFT JOIN user_keys ON named.account_id = user_keys.account_id AND named.user_name = user_keys.user_name
    LEFT JOIN key_snapshots ON named.account_id = key_snapshots.account_id
    LEFT JOIN leavers ON named.account_id = leavers.account_id AND named.user_name = leavers.user_name
    LEFT JOIN user_snapshots ON named.account_id = user_snapshots.account_id
    LEFT JOIN inventory_later ON named.account_id = inventory_later.account_id
    LEFT JOIN held ON named.account_id = held.account_id
    LEFT JOIN role_users ON named.account_id = role_users.account_id AND named.user_name = role_users.user_name
    WHERE ($account IS NULL OR named.account_id = $account)
        AND ($role IS NULL OR role_users.account_id IS NOT NULL)
        AND (user_snapshots.account_id IS NOT NULL OR held.account_id IS NOT NULL)
),
idle AS (
    SELECT
        *,
        days_between(greatest(created, last_used), $as_of) AS days_idle,
        -- Where the logs do not cover the days since, IAM's silence counts only until it was asked.
        days_between(
            greatest(created, last_used),
            CASE WHEN coverage >= 0.9 THEN $as_of ELSE least($as_of, inventory_time) END
        ) AS days_idle_vouched,
        array_length(service_specific_credentials) > 0 AS has_service_credentials,
        CASE
            WHEN console_password IS NULL AND password_last_used IS NULL THEN 'UNKNOWN'
            WHEN NOT console_password THEN 'NONE'
            WHEN password_last_used IS NULL THEN 'NEVER_USED'
            WHEN days_between(password_last_used, $as_of) <= $threshold_days THEN 'USED'
            ELSE 'UNUSED'
        END AS password
    FROM facts
),
judged AS (
    SELECT
        *,
        CASE
            WHEN is_root AND active_keys > 0 THEN 'ROOT_KEYS'
            WHEN leaver IS NOT NULL THEN 'LEAVER'
            WHEN last_used IS NOT NULL AND days_between(last_used, $as_of) <= $threshold_days THEN 'USED'
            WHEN NOT in_inventory OR inventory_age_days > $max_inventory_days OR password = 'UNKNOWN' OR NOT keys_known
                OR coalesce(has_service_credentials, false) THEN 'UNKNOWN'
            WHEN password = 'NONE' AND active_keys = 0 AND coalesce(signing_certificates, 0) = 0 THEN 'NO_CREDENTIALS'
            WHEN last_used IS NOT NULL AND days_idle_vouched <= $threshold_days THEN 'UNKNOWN'
            WHEN last_used IS NOT NULL THEN 'UNUSED'
            WHEN created IS NULL THEN 'UNKNOWN'
            WHEN age_days < $grace_days THEN 'NEVER_USED_YOUNG'
            WHEN days_idle_vouched < $grace_days THEN 'UNKNOWN'
            ELSE 'NEVER_USED'
        END AS state
    FROM idle
),
explained AS (
    SELECT
        *,
        concat_ws(
            ',',
            CASE state
                WHEN 'ROOT_KEYS' THEN 'ROOT_KEY'
                WHEN 'LEAVER' THEN CASE leaver WHEN 'inactive' THEN 'INACTIVE_IN_DIRECTORY' ELSE 'ABSENT_FROM_DIRECTORY' END
                WHEN 'USED' THEN 'IN_USE'
                WHEN 'UNUSED' THEN 'IDLE_TOO_LONG'
                WHEN 'NEVER_USED' THEN 'NEVER_USED'
                WHEN 'NEVER_USED_YOUNG' THEN 'YOUNG'
                WHEN 'NO_CREDENTIALS' THEN 'NO_CREDENTIALS'
            END,
            CASE WHEN state IN ('ROOT_KEYS', 'LEAVER') AND days_between(last_used, $as_of) <= $threshold_days THEN 'IN_USE' END,
            CASE WHEN has_service_credentials THEN 'SERVICE_SPECIFIC_CREDENTIALS' END,
            CASE WHEN state <> 'USED' AND inactive_keys > 0 THEN 'INACTIVE_KEY' END,
            CASE WHEN in_inventory AND password IN ('UNUSED', 'NEVER_USED') AND state = 'USED' THEN 'PASSWORD_UNUSED' END,
            CASE WHEN console_password AND NOT mfa_active THEN 'NO_MFA' END,
            CASE
                WHEN inventory_is_later THEN 'INVENTORY_LATER_THAN_AS_OF'
                WHEN inventory_time IS NULL THEN 'NO_INVENTORY'
                WHEN NOT in_inventory THEN 'NOT_IN_INVENTORY'
            END,
            CASE WHEN inventory_age_days > $max_inventory_days THEN 'STALE_INVENTORY' END,
            CASE WHEN in_inventory AND password = 'UNKNOWN' THEN 'PASSWORD_UNKNOWN' END,
            CASE WHEN in_inventory AND NOT keys_known THEN 'KEYS_UNKNOWN' END,
            CASE
                WHEN state = 'UNKNOWN' AND in_inventory AND keys_known AND inventory_age_days <= $max_inventory_days
                    AND password <> 'UNKNOWN' AND NOT coalesce(has_service_credentials, false) AND created IS NOT NULL
                    THEN 'ASKED_TOO_EARLY'
            END,
            CASE
                WHEN coverage = 0 THEN 'NO_LOGS'
                WHEN coverage < 0.9 THEN 'PARTIAL_LOGS'
            END
        ) AS codes
    FROM judged
)
SELECT
    account_id,
    user_name,
    state,
    password,
    password_last_used,
    active_keys,
    key_last_used,
    keys,
    service_specific_credentials,
    mfa_active,
    created,
    age_days,
    last_used,
    ct_last_used,
    days_idle,
    leaver,
    user_arn,
    inventory_time,
    CASE
        WHEN state = 'UNKNOWN' THEN 'low'
        WHEN state IN ('USED', 'ROOT_KEYS') THEN 'high'
        WHEN state IN ('LEAVER', 'NO_CREDENTIALS') OR codes LIKE '%LOGS%' THEN 'medium'
        ELSE 'high'
    END AS confidence,
    string_to_array(codes, ',') AS reason_codes,
    concat_ws(
        '; ',
        CASE state
            WHEN 'ROOT_KEYS' THEN concat('root has ', active_keys, ' active keys, and should have none')
            WHEN 'LEAVER' THEN CASE leaver
                WHEN 'inactive' THEN 'the directory says that this person is no longer active'
                ELSE 'the directory, which has others of this address, has not this one' END
            WHEN 'USED' THEN concat('last used ', counted(days_idle, 'day'), ' ago')
            WHEN 'UNUSED' THEN concat('not used for ', counted(days_idle, 'day'))
            WHEN 'NEVER_USED' THEN concat('never used in the ', counted(age_days, 'day'), ' since it was made')
            WHEN 'NEVER_USED_YOUNG' THEN concat('never used, but made only ', counted(age_days, 'day'), ' ago')
            WHEN 'NO_CREDENTIALS' THEN 'it has no password and no active key; SSH keys were not read'
            ELSE 'what is known does not say whether it may go'
        END,
        CASE WHEN codes LIKE '%IN_USE%' AND state <> 'USED' THEN concat('yet it was used ', counted(days_between(last_used, $as_of), 'day'), ' ago') END,
        CASE WHEN codes LIKE '%INACTIVE_KEY%' THEN 'it has an inactive key, which cannot come back once the user is deleted' END,
        CASE WHEN has_service_credentials THEN 'it has credentials for single services, whose use nobody tells' END,
        CASE WHEN codes LIKE '%PASSWORD_UNUSED%' THEN 'its password is not used and could go' END,
        CASE WHEN codes LIKE '%NO_MFA%' THEN 'it may sign in without a second factor' END,
        CASE
            WHEN inventory_is_later THEN 'the inventory was taken later than as_of'
            WHEN inventory_time IS NULL THEN 'there is no inventory of the users of this account: run rolecall inventory'
            WHEN NOT in_inventory THEN 'it is in the logs and not in the inventory: deleted, or made since'
        END,
        CASE WHEN codes LIKE '%STALE_INVENTORY%' THEN concat('the inventory is ', inventory_age_days, ' days old') END,
        CASE WHEN codes LIKE '%PASSWORD_UNKNOWN%' THEN 'whether it has a password was not read: give the credential report' END,
        CASE WHEN codes LIKE '%ASKED_TOO_EARLY%' THEN 'no logs cover the days since IAM was asked about its last use' END,
        CASE WHEN codes LIKE '%KEYS_UNKNOWN%' THEN 'its keys and their last use were not read lately' END,
        CASE
            WHEN coverage = 0 THEN 'the window has no logs of this account'
            WHEN coverage < 0.9 THEN concat('the logs cover ', round(coverage * 1000) / 10, ' % of the window')
        END
    ) AS reasons,
    coverage,
    array_distinct(string_to_array(concat_ws(',', sign_in_event_id, use_event_id), ',')) AS evidence_event_ids
FROM explained
ORDER BY account_id, user_name, user_arn
