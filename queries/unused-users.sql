-- title: Unused users
-- question: Which IAM users, passwords and root keys can go, and whose owner has left?
-- with: users, leavers
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
--   state: LEAVER (the directory says that the person has left); LEAVER? (a guess: see leaver); ROOT_KEYS (root has active keys);
--     ROOT_NO_MFA (root at rest, without a second factor); ROOT (root at rest, as it should be: it cannot go); NO_CREDENTIALS
--     (nothing to sign in or call with); USED; UNUSED; NEVER_USED; NEVER_USED_YOUNG (its newest credential is younger than
--     grace_days); UNKNOWN (what is known is not enough, see reasons)
--   password: NONE, USED, UNUSED, NEVER_USED, or UNKNOWN
--   password_last_used: last sign-in with the password as IAM knows it, or in the logs, whichever is later
--   active_keys: access keys that are active
--   key_last_used: last use of one of its keys, by IAM or in the logs
--   keys: its keys, by id, else by slot, with their status
--   service_specific_credentials: ids of credentials for single services, of which IAM tells no last use
--   other_credentials: those, SSH keys and signing certificates, each with its kind and status; null where none were read
--   mfa_active: whether it has a device for multi-factor authentication
--   created: when the user was made
--   age_days: whole days since then
--   newest_credential: when the newest of its credentials was made
--   last_used: last use of any of its credentials
--   last_used_by: who says so: iam or logs
--   known_until: until when IAM's silence counts: the oldest word on its password and keys, less the four hours that it may lag; uses
--     and changes in the logs count until as_of
--   ct_last_used: last record in the logs of this user, by whatever credential
--   days_idle: whole days from its last use, or the making of its newest credential, whichever is later, to known_until; of one in use,
--     to as_of; null where IAM was not asked
--   leaver: what the directory says: inactive, vanished (it once had the person), or absent; null where it says nothing against the user
--   user_arn: ARN of the user
--   inventory_time: when IAM was read of the account's users: of several files the oldest
--   inventory_time_from: api, content, given or file, as in iam_parts
--   next_step: what to do next; null where nothing is to be done
--   confidence: high, medium or low: how sure it is what is said of the user's use
--   reason_codes: what the state rests on, and what is not known; report --explain CODE
--   reasons: the same in words
--   coverage: days of the window that the account's logs cover, 0 to 1
--   verified: days of these of which digest files say that every log file is as CloudTrail delivered it; null where none were checked
--   silent_regions: regions whose log files stopped coming
--   evidence_event_ids: event ids to look up: the last sign-in, the last use
-- findings: state in (LEAVER, ROOT_KEYS, ROOT_NO_MFA, NO_CREDENTIALS, UNUSED, NEVER_USED)
-- subject: user_arn
-- key: account_id, user_name
-- watch: password, active_keys, mfa_active
-- screen: account_id, user_name, state, password, active_keys, reasons
-- figures: days_since_use, knowledge_age_days, credential_age_days, unread_credentials, leaver_handle
-- pitfall: A user without password and keys may still hold credentials for single services, whose use neither IAM nor the logs
--   tell. And a person is matched by name or e-mail address, which is a hint: ask before deleting.

WITH role_users AS (
    SELECT DISTINCT caller_account_id AS account_id, arn_name(caller_arn) AS user_name
    FROM credential_events
    WHERE $role IS NOT NULL AND caller_type = 'IAMUser' AND role_is(role_account_id, role_name, $role)
),
judged AS (
    SELECT
        users.*,
        CASE WHEN NOT is_root THEN leaver END AS leaver,
        leaver_handle,
        CASE
            WHEN is_root OR leaver IS NULL THEN standing
            WHEN leaver_sure AND leaver IN ('inactive', 'vanished') THEN 'LEAVER'
            -- Nobody in the directory, and at work: a program, or somebody whom the directory does not know.
            WHEN standing = 'USED' THEN 'USED'
            WHEN leaver_sure THEN 'LEAVER'
            ELSE 'LEAVER?'
        END AS state
    FROM users
    LEFT JOIN leavers ON users.account_id = leavers.account_id AND users.user_name = leavers.user_name
    LEFT JOIN role_users ON users.account_id = role_users.account_id AND users.user_name = role_users.user_name
    WHERE ($account IS NULL OR users.account_id = $account)
        AND ($role IS NULL OR role_users.account_id IS NOT NULL)
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
    other_credentials,
    mfa_active,
    created,
    age_days,
    newest_credential,
    last_used,
    last_used_by,
    known_until,
    ct_last_used,
    days_idle,
    leaver,
    user_arn,
    inventory_time,
    inventory_time_from,
    array_concat(
        codes(
            CASE WHEN leaver_handle IS NULL THEN NULL ELSE CASE leaver
                WHEN 'inactive' THEN 'INACTIVE_IN_DIRECTORY'
                WHEN 'vanished' THEN 'VANISHED_FROM_DIRECTORY'
                WHEN 'absent' THEN 'ABSENT_FROM_DIRECTORY'
            END END, leaver IS NOT NULL,
            'GUESSED_BY_NAME', state = 'LEAVER?'
        ),
        user_codes
    ) AS reason_codes,
    coverage,
    verified,
    silent_regions,
    array_distinct(string_to_array(concat_ws(',', sign_in_event_id, use_event_id), ',')) AS evidence_event_ids,
    days_since_use,
    knowledge_age_days,
    credential_age_days,
    unread_credentials,
    leaver_handle
FROM judged
ORDER BY account_id, user_name, user_arn
