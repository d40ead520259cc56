-- title: Roles that stand by: not used for months, and needed all the same
-- comment: Patterns of names, with * for any text, of roles that AWS services and common tools make for the day when they are needed: who
--   needs such a role, and how it is really removed. The parameter standby adds names of one's own.

standby_roles AS (
    SELECT column1 AS pattern, column2 AS needed_by, column3 AS removed_by
    FROM (VALUES
        (
            'OrganizationAccountAccessRole',
            'the management account of the organisation enters the account with it',
            'take it away only where another way in exists'
        ),
        (
            'AWSControlTowerExecution',
            'Control Tower sets the account up and repairs it with it',
            'unmanage the account in Control Tower first'
        ),
        ('aws-controltower-*', 'Control Tower works with it', 'unmanage the account in Control Tower first'),
        ('AWSControlTower*', 'Control Tower works with it', 'unmanage the account in Control Tower first'),
        ('stacksets-exec-*', 'CloudFormation StackSets deploy with it', 'delete the stack instances of the account first'),
        ('AWSCloudFormationStackSet*Role', 'CloudFormation StackSets deploy with it', 'delete the stack sets that name it first'),
        ('cdk-*-role-*', 'the AWS CDK deploys with it', 'delete the stack CDKToolkit of that account and region'),
        ('AWSReservedSSO_*', 'Identity Center made it for a permission set', 'take the permission set''s assignments to the account away'),
        ('AWSAFTExecution', 'Account Factory for Terraform works with it', 'take the account out of Account Factory for Terraform'),
        ('AWSAFTService', 'Account Factory for Terraform works with it', 'take the account out of Account Factory for Terraform'),
        ('AWSBackupDefaultServiceRole', 'AWS Backup restores with it', 'delete the backup plans and vaults first'),
        ('AWSProtonServiceRole*', 'Proton deploys with it', 'delete the environments that name it first'),
        ('awslabs-landing-zone-*', 'the landing zone works with it', 'take the account out of the landing zone'),
        ('AWSAccelerator*', 'the Landing Zone Accelerator works with it', 'take the account out of the accelerator'),
        ('*break-glass*', 'somebody enters with it when all else fails', 'ask who keeps it'),
        ('*break_glass*', 'somebody enters with it when all else fails', 'ask who keeps it'),
        ('*breakglass*', 'somebody enters with it when all else fails', 'ask who keeps it')
    ) AS known
    UNION ALL
    SELECT trim(name), 'the parameter standby names it', 'take it off that list first'
    FROM (SELECT unnest(string_to_array($standby, ',')) AS name) AS given
    WHERE trim(name) <> ''
)
