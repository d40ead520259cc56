-- title: Credential events, one row per act, with the caller resolved
-- comment: What `assumptions` and `sessions` are both made of. The copies of a cross-account call are one row, led
--   by the copy that names the caller; a console switch is one row with its AssumeRole.

WITH copies AS (
    SELECT
        *,
        caller_type = 'AWSAccount' AND caller_arn IS NULL AS masked,
        event_source = 'signin.amazonaws.com' AND event_name = 'SwitchRole' AS is_switch
    FROM current_events
),
told AS (
    SELECT
        first_value(position ORDER BY
            caller_arn IS NULL, coalesce(masked, false), event_time, event_id, recipient_account_id, position
        ) AS leading_position,
        count(*) AS record_copies,
        array_agg(event_id) AS copy_event_ids,
        array_agg(recipient_account_id) FILTER (WHERE recipient_account_id IS NOT NULL) AS copy_recipients,
        bool_or(masked) AS some_copy_masked
    FROM copies
    GROUP BY act_key, event_name
),
leading AS (
    SELECT
        copies.*,
        told.* EXCEPT (leading_position),
        pair.switch_event_id AS pair_event_id,
        pair.switch_event_id IS NOT NULL AS paired,
        pair.switch_from AS pair_from,
        pair.source_ip AS pair_ip,
        pair.user_agent AS pair_agent,
        pair.mfa AS pair_mfa,
        pair.recipient_account_id AS pair_recipient,
        known.arn AS known_arn
    FROM told
    JOIN copies ON told.leading_position = copies.position
    LEFT ANTI JOIN switch_pairs AS gone ON copies.is_switch AND copies.act_key = gone.switch_key
    LEFT JOIN switch_pairs AS pair
        ON copies.act_key = pair.assume_key AND copies.event_name = pair.assume_event_name
    LEFT JOIN known_principals AS known
        ON copies.masked
        AND split_part(copies.caller_principal_id, ':', 1) = known.unique_id
        AND coalesce(copies.caller_account_id = arn_account(known.arn), true)
),
-- A switch logs the new session as its caller; the person stands in SwitchFrom. Who took a role with a token of another
-- partition stands in source_principal_arn.
named AS (
    SELECT
        *,
        CASE
            WHEN is_switch THEN switch_from
            ELSE coalesce(caller_arn, pair_from, source_principal_arn)
        END AS named_arn,
        coalesce(CASE WHEN is_switch THEN switch_from ELSE coalesce(caller_arn, pair_from, source_principal_arn) END, known_arn)
            AS resolved_arn
    FROM leading
),
described AS (
    SELECT
        named.*,
        caller_role.role_arn AS caller_role_arn,
        target.role_arn AS known_role_arn,
        -- Before the role was made, or after it was deleted, another had its name.
        CASE
            WHEN named.event_time < target.id_from OR named.event_time > target.id_until THEN NULL
            ELSE target.role_id
        END AS known_role_id
    FROM named
    LEFT JOIN known_roles AS caller_role
        ON arn_account(named.resolved_arn) = caller_role.role_account_id
        AND arn_name(named.resolved_arn) = caller_role.role_name
        AND named.resolved_arn LIKE '%:assumed-role/%'
    LEFT JOIN known_roles AS target
        ON named.role_account_id = target.role_account_id AND named.role_name = target.role_name
)
SELECT
    act_key,
    event_id,
    array_sort(array_distinct(
        CASE WHEN paired THEN array_append(copy_event_ids, pair_event_id) ELSE copy_event_ids END
    )) AS event_ids,
    event_time,
    event_date,
    event_source,
    event_name,
    CASE
        WHEN event_name = 'AssumeRoot' THEN 'assume_root'
        WHEN event_name = 'AssumeRoleWithSAML' THEN 'saml'
        WHEN event_name = 'AssumeRoleWithWebIdentity' THEN 'web_identity'
        WHEN event_name = 'CreateSession' THEN 'roles_anywhere'
        -- Where these go through, the AssumeRole that they lead to tells; a refusal leaves no other record.
        WHEN event_name = 'AssumeRoleForPodIdentity' AND outcome = 'failure' THEN 'pod_identity'
        WHEN event_name = 'GetRoleCredentials' AND outcome = 'failure' THEN 'identity_center'
        WHEN is_switch OR paired THEN 'console_switch'
        WHEN event_name <> 'AssumeRole' THEN NULL
        WHEN caller_type = 'AWSService' OR (caller_type IS NULL AND caller_invoked_by IS NOT NULL) THEN 'service'
        WHEN caller_type = 'AssumedRole' OR caller_principal_id LIKE 'AROA%' OR caller_arn LIKE '%:assumed-role/%'
            THEN 'chained_role'
        ELSE 'assume_role'
    END AS method,
    coalesce(
        CASE
            -- Roles Anywhere sets the certificate's subject as source identity.
            WHEN event_name = 'CreateSession' THEN coalesce(source_identity, federated_subject)
            WHEN caller_type = 'AWSService' OR (caller_type IS NULL AND caller_arn IS NULL)
                THEN coalesce(caller_invoked_by, source_service)
            WHEN source_principal_arn IS NOT NULL
                THEN coalesce(caller_role_arn, regexp_replace(source_principal_arn, '(:assumed-role/[^/]+)/.*$', '\1'))
            WHEN caller_type IN ('SAMLUser', 'WebIdentityUser')
                OR event_name IN ('AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity')
                THEN nullif(concat_ws(
                    '/', regexp_replace(identity_provider, '^.*:(oidc|saml)-provider/', ''), federated_subject
                ), '')
            WHEN caller_type = 'IdentityCenterUser' THEN 'identity-center/' || caller_on_behalf_of
            WHEN resolved_arn LIKE '%:assumed-role/%' THEN coalesce(
                CASE WHEN NOT is_switch AND caller_arn IS NOT NULL THEN caller_issuer_arn END,
                caller_role_arn,
                regexp_replace(resolved_arn, '(:assumed-role/[^/]+)/.*$', '\1')
            )
            WHEN resolved_arn IS NOT NULL THEN resolved_arn
        END,
        CASE WHEN caller_type = 'AWSService' THEN 'AWS service' END,
        CASE WHEN NOT is_switch THEN
            nullif(concat_ws('/', caller_account_id, split_part(caller_principal_id, ':', 1)), '')
        END,
        'unknown'
    ) AS caller,
    CASE
        WHEN NOT is_switch THEN caller_type
        WHEN switch_from LIKE '%:assumed-role/%' THEN 'AssumedRole'
        WHEN switch_from LIKE '%:user/%' THEN 'IAMUser'
        WHEN switch_from LIKE '%:root' THEN 'Root'
    END AS caller_type,
    named_arn AS caller_arn,
    CASE WHEN is_switch THEN arn_account(switch_from)
        ELSE coalesce(caller_account_id, arn_account(resolved_arn)) END AS caller_account_id,
    CASE WHEN is_switch THEN NULL ELSE caller_principal_id END AS caller_principal_id,
    CASE WHEN is_switch THEN arn_session(switch_from)
        ELSE coalesce(caller_session_name, arn_session(named_arn)) END AS caller_session_name,
    CASE WHEN is_switch THEN NULL ELSE caller_access_key_id END AS caller_access_key_id,
    CASE WHEN is_switch THEN NULL ELSE caller_session_created END AS caller_session_created,
    CASE WHEN is_switch THEN NULL ELSE caller_issuer_arn END AS caller_issuer_arn,
    CASE
        WHEN is_switch THEN CASE WHEN switch_from IS NULL THEN 'none' ELSE 'switch_role' END
        WHEN some_copy_masked AND NOT coalesce(masked, false) THEN 'shared_event'
        WHEN NOT coalesce(masked, false) THEN 'record'
        WHEN pair_from IS NOT NULL THEN 'switch_role'
        WHEN known_arn IS NOT NULL THEN 'principal_id'
        ELSE 'none'
    END AS caller_resolved_by,
    resolved_arn AS caller_resolved_arn,
    identity_provider,
    federated_subject,
    CASE WHEN event_name <> 'AssumeRoot' THEN
        coalesce(
            role_arn,
            known_role_arn,
            CASE WHEN role_name IS NOT NULL THEN concat_ws('/', role_account_id, role_name) END,
            CASE WHEN permission_set IS NOT NULL AND outcome = 'failure' THEN concat_ws('/', role_account_id, concat('AWSReservedSSO_', permission_set, '_*')) END
        ) END AS role,
    role_arn,
    role_arn_source,
    role_account_id,
    role_name,
    role_id,
    known_role_arn,
    known_role_id,
    session_name,
    session_arn,
    issued_access_key_id,
    issued_expiration,
    duration_seconds,
    external_id,
    -- A device that is named in vain has proven nothing.
    (mfa_serial IS NOT NULL AND outcome = 'success') OR coalesce(caller_mfa, false) OR coalesce(pair_mfa, false) AS mfa,
    source_identity,
    session_tags,
    session_policy,
    target_principal,
    federated_audience,
    sign_in_session_arn,
    oauth_client_id,
    oauth_resource,
    web_identity_token_id,
    source_principal_arn,
    source_region,
    credential_id,
    coalesce(pair_ip, source_ip) AS source_ip,
    CASE WHEN pair_ip IS NULL THEN source_service END AS source_service,
    coalesce(pair_agent, user_agent) AS user_agent,
    aws_region,
    array_sort(array_distinct(
        CASE WHEN pair_recipient IS NOT NULL THEN array_append(copy_recipients, pair_recipient) ELSE copy_recipients END
    )) AS recipient_account_ids,
    outcome,
    error_code,
    error_message,
    record_copies + CASE WHEN paired THEN 1 ELSE 0 END AS copies
FROM described
