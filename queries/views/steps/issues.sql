-- title: Acts that handed out credentials or made a role session
-- comment: One row per session that the lake saw being issued. A user's console sign-in starts a session too, whose key no
--   record of it shows; that of a role does not, since the role was taken before. A sign-in token that repeats the
--   key it was asked with is no new session. An OAuth token makes a sign-in session of whoever let the program in, and every
--   renewal is a row. issues_session: false of a session's own way into the console, which only says that it
--   uses other keys from then on. principal_id and principal_arn are what records signed in the session
--   will carry. A role taken with a token of another partition has the caller that asked for the token, where that is held; where not,
--   source_elsewhere says so.

-- Within one partition nobody can trade such a token back, so each is looked for by itself.
WITH tokens AS (
    SELECT
        web_identity_token_id AS token_id,
        first_value(caller_type ORDER BY event_time, event_id) AS token_caller_type,
        first_value(caller_arn ORDER BY event_time, event_id) AS token_caller_arn,
        first_value(caller_principal_id ORDER BY event_time, event_id) AS token_principal_id,
        first_value(caller_account_id ORDER BY event_time, event_id) AS token_account_id,
        first_value(caller_access_key_id ORDER BY event_time, event_id) AS token_access_key_id,
        first_value(caller_session_name ORDER BY event_time, event_id) AS token_session_name,
        first_value(caller_session_created ORDER BY event_time, event_id) AS token_session_created,
        first_value(sign_in_session_arn ORDER BY event_time, event_id) AS token_sign_in
    FROM credential_events
    WHERE event_name = 'GetWebIdentityToken' AND outcome = 'success' AND web_identity_token_id IS NOT NULL
    GROUP BY web_identity_token_id
)
SELECT
    event_id,
    event_ids,
    event_time,
    event_name,
    method,
    coalesce(issued_expiration, event_time + arrow_cast(duration_seconds * 1000000, 'Duration(Microsecond)')) AS expires,
    issued_access_key_id,
    CASE WHEN is_grant THEN coalesce(caller_issuer_arn, nullif(concat_ws('/', arn_account(own_arn), arn_name(own_arn)), '')) ELSE role END AS role,
    CASE WHEN is_grant THEN caller_issuer_arn ELSE coalesce(role_arn, known_role_arn) END AS role_arn,
    CASE WHEN is_grant THEN arn_account(own_arn) ELSE role_account_id END AS role_account_id,
    CASE WHEN is_grant THEN arn_name(own_arn) ELSE role_name END AS role_name,
    CASE WHEN is_grant AND own_arn IS NOT NULL THEN split_part(caller_principal_id, ':', 1) ELSE role_id END AS role_id,
    known_role_id,
    CASE WHEN is_grant THEN arn_session(own_arn) ELSE session_name END AS session_name,
    CASE WHEN is_grant THEN own_arn WHEN session_arn LIKE '%:assumed-role/%' THEN session_arn END AS session_arn,
    CASE
        WHEN is_grant THEN caller_principal_id
        WHEN event_name IN ('GetSessionToken', 'ConsoleLogin') THEN caller_principal_id
        WHEN event_name = 'GetFederationToken' THEN concat_ws(':', caller_account_id, session_name)
        WHEN event_name = 'AssumeRoot' THEN role_account_id
        WHEN role_id IS NOT NULL AND session_name IS NOT NULL THEN concat_ws(':', role_id, session_name)
    END AS principal_id,
    coalesce(
        session_arn,
        CASE
            WHEN is_grant OR event_name IN ('GetSessionToken', 'ConsoleLogin') THEN caller_arn
            WHEN event_name <> 'AssumeRoot' THEN NULL
            WHEN target_principal LIKE 'arn:%' THEN target_principal
            ELSE concat('arn:', coalesce(split_part(caller_arn, ':', 2), 'aws'), ':iam::', role_account_id, ':root')
        END
    ) AS principal_arn,
    coalesce(role_account_id, caller_account_id) AS session_account_id,
    caller,
    CASE WHEN across THEN token_caller_type ELSE caller_type END AS caller_type,
    caller_resolved_by,
    coalesce(token_caller_arn, caller_resolved_arn) AS caller_resolved_arn,
    CASE WHEN across THEN token_principal_id ELSE caller_principal_id END AS caller_principal_id,
    coalesce(token_account_id, caller_account_id) AS caller_account_id,
    CASE WHEN across THEN token_access_key_id ELSE caller_access_key_id END AS caller_access_key_id,
    coalesce(token_session_name, caller_session_name) AS caller_session_name,
    CASE WHEN across THEN token_session_created ELSE caller_session_created END AS caller_session_created,
    across,
    across AND token_id IS NULL AS source_elsewhere,
    -- Of a sign-in's own records it is the session that was made.
    CASE WHEN is_grant OR event_name = 'ConsoleLogin' THEN sign_in_session_arn END AS sign_in_session_arn,
    CASE WHEN across THEN token_sign_in WHEN event_source <> 'signin.amazonaws.com' THEN sign_in_session_arn END AS caller_sign_in,
    oauth_client_id,
    oauth_resource,
    CASE
        WHEN is_grant AND oauth_resource IS NULL AND oauth_client_id LIKE '%:devtools/%' THEN 'cli_login'
        WHEN is_grant AND (oauth_resource IS NOT NULL OR oauth_client_id IS NOT NULL) THEN 'agent'
        WHEN is_grant THEN NULL
        WHEN method = 'console_switch' OR event_source = 'signin.amazonaws.com' THEN 'console'
        WHEN method IN ('saml', 'web_identity')
            OR event_source = 'sso.amazonaws.com'
            OR coalesce(caller_type IN ('SAMLUser', 'WebIdentityUser', 'IdentityCenterUser'), false)
            OR coalesce(caller = 'account-access.amazonaws.com', false)
            THEN 'federation'
        WHEN method IN ('service', 'roles_anywhere') OR event_name IN ('AssumeRoleForPodIdentity', 'GetCredentialsForIdentity')
            THEN 'workload'
        ELSE 'key'
    END AS session_kind,
    identity_provider,
    source_identity,
    -- A person's console, portal or login turns what it was given into keys of its own.
    is_grant
        OR issued_access_key_id IS NULL
        OR event_name NOT IN ('AssumeRole', 'GetSessionToken', 'GetFederationToken', 'AssumeRoleWithWebIdentity', 'AssumeRoot', 'CreateSession')
        OR method = 'console_switch'
        OR coalesce(caller_type IN ('SAMLUser', 'IdentityCenterUser') OR caller = 'account-access.amazonaws.com', false) AS uses_other_keys,
    issues_session
FROM (
    SELECT
        acts.*,
        tokens.*,
        event_name LIKE 'CreateOAuth2Token%' AND sign_in_session_arn IS NOT NULL AS is_grant,
        CASE WHEN caller_arn LIKE '%:assumed-role/%' THEN caller_arn END AS own_arn,
        event_name = 'AssumeRoleWithWebIdentity' AND (source_principal_arn IS NOT NULL OR token_id IS NOT NULL) AS across,
        event_name IN (
            'AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity', 'AssumeRoot', 'CreateSession', 'SwitchRole'
        )
            OR (event_name = 'ConsoleLogin' AND coalesce(caller_type IN ('IAMUser', 'Root'), false))
            OR (event_name LIKE 'CreateOAuth2Token%' AND sign_in_session_arn IS NOT NULL)
            OR (issued_access_key_id IS NOT NULL AND issued_access_key_id IS DISTINCT FROM caller_access_key_id) AS issues_session
    FROM acts
    LEFT JOIN tokens ON event_name = 'AssumeRoleWithWebIdentity' AND web_identity_token_id = token_id
    WHERE outcome = 'success'
) AS done
WHERE issues_session OR event_name IN ('ConsoleLogin', 'GetSigninToken')
ORDER BY event_time, event_id, act_key, event_name
