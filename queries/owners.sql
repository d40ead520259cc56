-- title: Owners
-- question: Whom do I ask about each key and role?
-- with: keys, directory, user_tags
-- params:
--   as_of: timestamp = now; the answer's "now": inventory and logs as they were then; to counts from it
--   days: integer = 90; the window before to over which coverage is counted
--   from: timestamp = null; start of the window, instead of days
--   to: timestamp = null; only records before this time; as_of if not given
--   account: text = null; only this account
--   role: text = null; only this role: ARN, account/name, or name
--   threshold_days: integer = 45; a key that has been idle for more days than this is stale
--   grace_days: integer = 7; a key that was never used and is younger than this is not yet called unused
--   max_inventory_days: integer = 7; an inventory older than this proves no idleness
--   owner: text = null; only what this owner has, as in the column owner, in any case
--   confirmed_days: integer = 365; an answer, or a question, of more days ago does not count any more
-- columns:
--   owner: person or team to ask: by the file (--owners), else by tag, else the person whose name, address or local part of an
--     address the user's name is, where that is one person's alone, else who made it; null where nothing says
--   state: CONFIRMED, ASKED (and has not answered), NAMED (the file or a tag says), GUESSED (named like the user, or who made it,
--     not who owns it), LEFT (the directory says that the person has left, or had the person and has not any more), NONE,
--     UNMATCHED (an entry of the file that is about nothing known)
--   kind: key or role; entry for one of the file that is UNMATCHED
--   account_id: account of the key or role
--   name: user of the key, or name of the role
--   access_key_id: the key; null for a role, and where its id is not known
--   owner_source: file:LINE, tag:KEY, name, creator, or null
--   contact: where to reach the owner: as the file says, else by the directory, else the owner where that is an address
--   directory_name: name of the owner in the directory
--   directory_email: address of the owner in the directory
--   directory_active: whether the directory says that the person is active; null where the owner is not in it
--   asked: day on which the owner was asked: by the file, else tag rolecall:asked; what is no day, lies after as_of, or more than
--     confirmed_days before it, is here too and does not count
--   confirmed: day on which the owner said that it is needed: by the file, else tag rolecall:confirmed; counts as asked does
--   created: when it was made
--   created_by: who made it, where the logs show it
--   last_used: last use of a key, by IAM or in the logs; of a role, by IAM
--   arn: ARN of the user or role
--   next_step: what to do next; null where nothing is to be done
--   confidence: high (confirmed), medium (the file or a tag says), low (a guess, or nothing)
--   reason_codes: what the owner rests on, and what is not known
--   reasons: the same in words
--   coverage: days of the window that the account's logs cover, 0 to 1
--   evidence_event_ids: event ids of its making
-- findings: state in (LEFT, NONE)
-- subject: arn
-- figures: leaver_handle, confirmed_days
-- key: kind, account_id, name, access_key_id
-- watch: owner, asked, confirmed
-- screen: owner, state, kind, account_id, name, access_key_id, owner_source, asked
-- pitfall: Who made a key is often who runs the tool that makes keys. It is a person to ask, not the owner.

WITH made AS MATERIALIZED (
    SELECT
        target_type AS made_type,
        coalesce(arn_account(target_arn), recipient_account_id) AS made_account_id,
        target_name AS made_name,
        last_value(actor_arn ORDER BY event_time, event_id) AS made_by,
        last_value(event_id ORDER BY event_time, event_id) AS made_event_id
    FROM iam_changes
    WHERE outcome = 'success'
        AND event_name IN ('CreateUser', 'CreateRole')
        AND actor_arn IS NOT NULL
        AND event_time < least($to, $as_of)
    GROUP BY 1, 2, 3
),
things AS MATERIALIZED (
    SELECT
        'key' AS kind,
        keys.account_id,
        keys.user_name AS name,
        keys.access_key_id,
        coalesce(keys.user_arn, user_tags.user_arn) AS arn,
        keys.created,
        coalesce(keys.created_by, made.made_by) AS created_by,
        coalesce(keys.change_event_id, made.made_event_id) AS made_event_id,
        keys.last_used,
        keys.in_inventory
    FROM keys
    LEFT JOIN user_tags ON keys.account_id = user_tags.account_id AND keys.user_name = user_tags.user_name
    LEFT JOIN made
        ON made_type = 'user' AND keys.account_id = made_account_id AND keys.user_name = made_name
    WHERE has_key AND $role IS NULL
    UNION ALL
    SELECT
        'role',
        iam_roles.account_id,
        iam_roles.role_name,
        NULL,
        iam_roles.role_arn,
        iam_roles.created,
        made.made_by,
        made.made_event_id,
        iam_roles.last_used,
        true
    FROM iam_roles
    JOIN inventory_then
        ON iam_roles.snapshot_id = inventory_then.snapshot_id
        AND iam_roles.account_id = inventory_then.account_id
        AND inventory_then.part = 'roles'
    LEFT JOIN made
        ON made_type = 'role' AND iam_roles.account_id = made_account_id AND iam_roles.role_name = made_name
    -- AWS owns these.
    WHERE NOT service_linked AND NOT identity_center AND role_is(iam_roles.account_id, iam_roles.role_name, $role)
),
tagged AS (
    SELECT kind, account_id, name, lower(btrim(tag.key)) AS tag_key, tag.key AS tag_name, btrim(tag.value) AS tag_value
    FROM (
        SELECT 'key' AS kind, account_id, user_name AS name, unnest(map_entries(tags)) AS tag
        FROM user_tags
        UNION ALL
        SELECT 'role', iam_roles.account_id, role_name, unnest(map_entries(tags))
        FROM iam_roles
        JOIN inventory_then
            ON iam_roles.snapshot_id = inventory_then.snapshot_id
            AND iam_roles.account_id = inventory_then.account_id
            AND inventory_then.part = 'roles'
    ) AS entries
    WHERE btrim(tag.value) <> ''
),
owner_tags AS (
    SELECT
        kind,
        account_id,
        name,
        first_value(tag_value ORDER BY rank, tag_name, tag_value) FILTER (WHERE rank IS NOT NULL) AS owner,
        first_value(tag_name ORDER BY rank, tag_name, tag_value) FILTER (WHERE rank IS NOT NULL) AS owner_tag,
        min(CASE WHEN tag_key = 'rolecall:asked' THEN tag_value END) AS asked,
        min(CASE WHEN tag_key = 'rolecall:confirmed' THEN tag_value END) AS confirmed
    FROM (
        SELECT
            *,
            CASE
                WHEN tag_key = 'rolecall:owner' THEN 0
                WHEN tag_key IN ('owner', 'owner-email', 'owneremail', 'owner_email') THEN 1
                WHEN tag_key IN ('contact', 'maintainer', 'responsible', 'email') THEN 2
                WHEN tag_key IN ('team', 'squad', 'group', 'department') THEN 3
            END AS rank
        FROM tagged
    ) AS ranked
    GROUP BY 1, 2, 3
),
account_names AS (
    SELECT account_id AS named_account_id, last_value(account_name ORDER BY snapshot_time, snapshot_id, account_name) AS account_name
    FROM (
        SELECT account_id, account_name, snapshot_time, snapshot_id FROM iam_snapshots
        UNION ALL
        SELECT known_account_id, name, iam_snapshots.snapshot_time, iam_snapshots.snapshot_id
        FROM known_accounts
        JOIN iam_snapshots ON known_accounts.snapshot_id = iam_snapshots.snapshot_id
    ) AS names
    WHERE account_name IS NOT NULL AND snapshot_time <= $as_of
    GROUP BY account_id
),
-- Of several entries of the file that match, the first counts.
filed AS MATERIALIZED (
    SELECT
        kind,
        account_id,
        name,
        coalesce(access_key_id, '') AS key_id,
        first_value(line ORDER BY line) AS line,
        first_value(named_owner ORDER BY line) AS named_owner,
        first_value(contact ORDER BY line) AS contact,
        first_value(asked ORDER BY line) AS asked,
        first_value(confirmed ORDER BY line) AS confirmed
    FROM things
    LEFT JOIN account_names ON things.account_id = named_account_id
    JOIN named_owners
        ON (glob_is(things.account_id, account_pattern) OR glob_is(lower(account_name), lower(account_pattern)))
        AND glob_is(CASE kind WHEN 'key' THEN name END, user_pattern)
        AND glob_is(CASE kind WHEN 'role' THEN name END, role_pattern)
        AND glob_is(access_key_id, access_key_pattern)
        AND glob_is(arn, arn_pattern)
    GROUP BY 1, 2, 3, 4
),
owned AS (
    SELECT
        things.*,
        coalesce(
            filed.named_owner,
            owner_tags.owner,
            own.directory_email,
            own.directory_name,
            alike.like_email,
            alike.like_name,
            -- A person in a role is the session, not the role.
            arn_session(created_by),
            arn_name(created_by)
        ) AS owner,
        CASE
            WHEN filed.line IS NOT NULL THEN concat('file:', filed.line)
            WHEN owner_tags.owner IS NOT NULL THEN concat('tag:', owner_tags.owner_tag)
            WHEN own.handle IS NOT NULL OR alike.likeness IS NOT NULL THEN 'name'
            WHEN created_by IS NOT NULL THEN 'creator'
        END AS owner_source,
        own.handle IS NOT NULL AS is_own_name,
        filed.contact,
        -- What the tags say of one owner is not said of another.
        coalesce(
            filed.asked,
            CASE WHEN lower(coalesce(owner_tags.owner, filed.named_owner)) = lower(coalesce(filed.named_owner, owner_tags.owner))
                THEN owner_tags.asked END
        ) AS asked,
        coalesce(
            filed.confirmed,
            CASE WHEN lower(coalesce(owner_tags.owner, filed.named_owner)) = lower(coalesce(filed.named_owner, owner_tags.owner))
                THEN owner_tags.confirmed END
        ) AS confirmed
    FROM things
    LEFT JOIN filed
        ON things.kind = filed.kind
        AND things.account_id = filed.account_id
        AND things.name = filed.name
        AND coalesce(things.access_key_id, '') = filed.key_id
    LEFT JOIN owner_tags
        ON things.kind = owner_tags.kind
        AND things.account_id = owner_tags.account_id
        AND things.name = owner_tags.name
    -- The people whose name, address or local part of an address is the user's name.
    LEFT JOIN directory AS own ON things.kind = 'key' AND lower(btrim(things.name)) = own.handle
    LEFT JOIN directory_likes AS alike
        ON things.kind = 'key'
        AND things.name NOT LIKE '%@%'
        AND regexp_replace(lower(things.name), '[^\p{L}\p{N}]+', '', 'g') = alike.likeness
),
-- A day that is none, is yet to come, or is long past, says nothing of today.
dated AS (
    SELECT
        *,
        CASE
            WHEN asked IS NULL THEN NULL
            WHEN asked_on IS NULL THEN 'NO_DAY'
            WHEN asked_on >= $as_of THEN 'LATER'
            WHEN days_between(asked_on, $as_of) > $confirmed_days THEN 'LONG_AGO'
            ELSE 'COUNTS'
        END AS asked_is,
        CASE
            WHEN confirmed IS NULL THEN NULL
            WHEN confirmed_on IS NULL THEN 'NO_DAY'
            WHEN confirmed_on >= $as_of THEN 'LATER'
            WHEN days_between(confirmed_on, $as_of) > $confirmed_days THEN 'LONG_AGO'
            ELSE 'COUNTS'
        END AS confirmed_is
    FROM (
        SELECT
            *,
            arrow_cast(
                try_cast(regexp_match(asked, '^(\d{4}-\d{2}-\d{2})([T ].*)?$')[1] AS DATE),
                'Timestamp(Microsecond, Some("UTC"))'
            ) AS asked_on,
            arrow_cast(
                try_cast(regexp_match(confirmed, '^(\d{4}-\d{2}-\d{2})([T ].*)?$')[1] AS DATE),
                'Timestamp(Microsecond, Some("UTC"))'
            ) AS confirmed_on
        FROM owned
    ) AS days
),
judged AS (
    SELECT
        dated.* EXCEPT (contact),
        coalesce(contact, directory_email, CASE WHEN owner LIKE '%@%' THEN owner END) AS contact,
        directory_name,
        directory_email,
        directory_active,
        directory_state,
        -- Only where nothing certain is known of the owner.
        CASE
            WHEN owner_source = 'name' AND NOT is_own_name THEN coalesce(NOT directory_active, like_state <> 'active')
            WHEN directory.handle IS NULL THEN like_state <> 'active'
        END AS may_have_left,
        directory.handle IS NULL AND owner_domains.domain IS NOT NULL AS is_absent,
        coalesce(held.coverage, 0.0) AS coverage,
        CASE
            WHEN NOT directory_active AND (owner_source <> 'name' OR is_own_name) THEN 'LEFT'
            WHEN confirmed_is = 'COUNTS' THEN 'CONFIRMED'
            WHEN asked_is = 'COUNTS' THEN 'ASKED'
            WHEN owner_source NOT IN ('name', 'creator') THEN 'NAMED'
            WHEN owner IS NOT NULL THEN 'GUESSED'
            ELSE 'NONE'
        END AS state
    FROM dated
    LEFT JOIN directory ON lower(btrim(dated.owner)) = directory.handle
    LEFT JOIN directory_likes
        ON dated.owner NOT LIKE '%@%'
        AND regexp_replace(lower(dated.owner), '[^\p{L}\p{N}]+', '', 'g') = directory_likes.likeness
    LEFT JOIN (
        SELECT DISTINCT lower(split_part(coalesce(email, user_name), '@', 2)) AS domain
        FROM directory_rows
        WHERE coalesce(email, user_name) LIKE '%@%'
    ) AS owner_domains
        ON lower(btrim(dated.owner)) LIKE '%@%' AND split_part(lower(btrim(dated.owner)), '@', 2) = owner_domains.domain
    LEFT JOIN held ON dated.account_id = held.account_id
),
-- An entry that an earlier one leaves nothing to is of no use either.
unmatched AS (
    SELECT named_owners.*
    FROM named_owners
    LEFT ANTI JOIN (SELECT DISTINCT line AS used_line FROM filed) AS used ON line = used_line
    -- Where only some of the keys and roles are looked at, nobody knows.
    WHERE $account IS NULL AND $role IS NULL AND $owner IS NULL
),
answer AS (
    SELECT
        owner,
        state,
        kind,
        account_id,
        name,
        access_key_id,
        owner_source,
        contact,
        directory_name,
        directory_email,
        directory_active,
        asked,
        confirmed,
        created,
        created_by,
        last_used,
        arn,
        codes(
            CASE state WHEN 'LEFT' THEN 'OWNER_LEFT' WHEN 'CONFIRMED' THEN 'OWNER_CONFIRMED' WHEN 'ASKED' THEN 'OWNER_ASKED' END, true,
            CASE
                WHEN owner_source LIKE 'file:%' THEN 'OWNER_FILE'
                WHEN owner_source LIKE 'tag:%' THEN 'OWNER_TAG'
                WHEN owner_source = 'name' THEN 'NAMESAKE'
                WHEN owner_source = 'creator' THEN 'CREATOR'
                ELSE 'NO_OWNER'
            END, true,
            'NOT_ASKED', state = 'NAMED' AND asked_is IS NULL AND confirmed_is IS NULL,
            'VANISHED_FROM_DIRECTORY', state = 'LEFT' AND directory_state = 'vanished',
            'OWNER_MAY_HAVE_LEFT', may_have_left,
            'OWNER_NOT_IN_DIRECTORY', is_absent,
            CASE confirmed_is WHEN 'NO_DAY' THEN 'CONFIRMED_NO_DAY' WHEN 'LATER' THEN 'CONFIRMED_LATER' WHEN 'LONG_AGO' THEN 'CONFIRMED_LONG_AGO'
            END, true,
            CASE asked_is WHEN 'NO_DAY' THEN 'ASKED_NO_DAY' WHEN 'LATER' THEN 'ASKED_LATER' WHEN 'LONG_AGO' THEN 'ASKED_LONG_AGO' END, true,
            'NOT_IN_INVENTORY', NOT in_inventory
        ) AS reason_codes,
        coverage,
        string_to_array(concat_ws(',', made_event_id), ',') AS evidence_event_ids,
        owner AS leaver_handle,
        $confirmed_days AS confirmed_days
    FROM judged
    WHERE ($account IS NULL OR account_id = $account)
        AND ($owner IS NULL OR lower(owner) = lower(btrim($owner)))
    UNION ALL
    SELECT
        named_owner,
        'UNMATCHED',
        'entry',
        account_pattern,
        coalesce(user_pattern, role_pattern, arn_pattern),
        access_key_pattern,
        concat('file:', line),
        contact,
        NULL,
        NULL,
        NULL,
        asked,
        confirmed,
        NULL,
        NULL,
        NULL,
        arn_pattern,
        codes('ENTRY_UNMATCHED', true),
        NULL,
        make_array(),
        NULL,
        $confirmed_days
    FROM unmatched
)
SELECT *
FROM answer
ORDER BY owner, kind, account_id, name, access_key_id, owner_source
