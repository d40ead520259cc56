//! The inventory as the files that people have at hand: what AWS's command line prints.
//!
//! A folder for each member account, and one for the organisation. Nothing in them comes from a log.

use std::io;
use std::path::Path;

use super::{AccessKey, Inventory, Role, User};
use crate::json::{Obj, array};
use crate::time::{DAY, Micros, iso};

/// Path and content.
type File = (String, String);

impl Inventory {
    /// All files, by path: for each member account `get-account-authorization-details.json`,
    /// `list-roles.json`, `list-access-keys.json`, `get-access-key-last-used.json`,
    /// `list-service-specific-credentials-all-users.json`, lists of SSH keys, certificates and MFA devices
    /// of each user, and `credential-report.csv`; for the organisation `list-accounts.json`.
    pub fn files(&self) -> Vec<(String, String)> {
        let mut files = vec![self.organization_accounts()];
        for account in self.accounts.iter().filter(|account| account.member) {
            files.extend(self.of_account(&account.account_id));
        }
        files
    }

    /// Writes [`Inventory::files`] below a folder.
    ///
    /// # Errors
    ///
    /// When a folder or file cannot be written.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        for (path, content) in self.files() {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, content)?;
        }
        Ok(())
    }

    fn organization_accounts(&self) -> File {
        let management = self.accounts.first().map_or("", |account| account.account_id.as_str());
        let members = self.accounts.iter().filter(|account| account.member).map(|account| {
            let id = &account.account_id;
            Obj::new()
                .str("Id", id)
                .str(
                    "Arn",
                    &format!(
                        "arn:aws:organizations::{management}:account/{}/{id}",
                        self.organization_id
                    ),
                )
                .str("Email", &format!("aws+{}@example.com", account.name))
                .str("Name", &account.name)
                .str("Status", "ACTIVE")
                .end()
        });
        let content = Obj::new().raw("Accounts", &array(&members.collect::<Vec<_>>())).end();
        ("organization/list-accounts.json".to_owned(), content)
    }

    fn of_account(&self, account: &str) -> Vec<File> {
        let users: Vec<&User> =
            self.users.iter().filter(|user| user.account_id == account).collect();
        let roles: Vec<&Role> = self
            .roles
            .iter()
            .filter(|role| role.account_id == account && role.deleted.is_none())
            .collect();
        let keys: Vec<(&User, Vec<&AccessKey>)> =
            users.iter().map(|user| (*user, self.keys_of(user))).collect();
        let file = |name: &str, content: String| (format!("{account}/{name}"), content);
        let none = |list: &str| Obj::new().raw(list, "[]").end();
        let mut files = vec![
            file("get-account-authorization-details.json", details(&users, &roles)),
            file("list-roles.json", role_list(&roles)),
            file("list-access-keys.json", key_list(&keys)),
            file("get-access-key-last-used.json", last_used_list(&keys)),
            file("credential-report.csv", credential_report(account, &keys)),
            file(
                "list-service-specific-credentials-all-users.json",
                none("ServiceSpecificCredentials"),
            ),
        ];
        for user in users {
            let name = &user.name;
            let devices = mfa_devices(account, user);
            files.extend([
                file(&format!("list-ssh-public-keys-{name}.json"), none("SSHPublicKeys")),
                file(&format!("list-signing-certificates-{name}.json"), none("Certificates")),
                file(&format!("list-mfa-devices-{name}.json"), devices),
            ]);
        }
        files
    }

    /// Keys that IAM lists, the older first.
    fn keys_of(&self, user: &User) -> Vec<&AccessKey> {
        let listed = |key: &&AccessKey| key.user_arn == user.arn && key.deleted.is_none();
        let mut keys: Vec<&AccessKey> = self.access_keys.iter().filter(listed).collect();
        keys.sort_by_key(|key| key.created);
        keys
    }
}

fn path_of(arn: &str, kind: &str) -> String {
    let rest = arn.split_once(&format!(":{kind}")).map_or("/", |(_, rest)| rest);
    rest.rfind('/').map_or("/", |end| &rest[..=end]).to_owned()
}

fn details(users: &[&User], roles: &[&Role]) -> String {
    let users = users.iter().map(|user| {
        Obj::new()
            .str("Path", &path_of(&user.arn, "user"))
            .str("UserName", &user.name)
            .str("UserId", &user.user_id)
            .str("Arn", &user.arn)
            .str("CreateDate", &iso(user.created))
            .raw("GroupList", "[]")
            .raw("AttachedManagedPolicies", "[]")
            .raw("Tags", &tags(user.owner.as_deref()))
            .end()
    });
    let roles = roles.iter().map(|role| {
        let last_used = match role.last_used {
            Some(at) => Obj::new().str("LastUsedDate", &iso(at)).str("Region", "eu-west-1").end(),
            None => "{}".to_owned(),
        };
        role_head(role)
            .raw("AssumeRolePolicyDocument", &role.trust_policy)
            .raw("InstanceProfileList", "[]")
            .raw("RolePolicyList", "[]")
            .raw("AttachedManagedPolicies", "[]")
            .raw("Tags", &tags(role.owner.as_deref()))
            .raw("RoleLastUsed", &last_used)
            .end()
    });
    Obj::new()
        .raw("UserDetailList", &array(&users.collect::<Vec<_>>()))
        .raw("GroupDetailList", "[]")
        .raw("RoleDetailList", &array(&roles.collect::<Vec<_>>()))
        .raw("Policies", "[]")
        .end()
}

fn tags(owner: Option<&str>) -> String {
    let tag = owner.map(|owner| Obj::new().str("Key", "owner").str("Value", owner).end());
    array(&tag.into_iter().collect::<Vec<_>>())
}

fn role_head(role: &Role) -> Obj {
    Obj::new()
        .str("Path", &path_of(&role.arn, "role"))
        .str("RoleName", &role.name)
        .str("RoleId", &role.role_id)
        .str("Arn", &role.arn)
        .str("CreateDate", &iso(role.created))
}

fn role_list(roles: &[&Role]) -> String {
    let roles = roles.iter().map(|role| {
        role_head(role)
            .raw("AssumeRolePolicyDocument", &role.trust_policy)
            .num("MaxSessionDuration", 3_600)
            .end()
    });
    Obj::new().raw("Roles", &array(&roles.collect::<Vec<_>>())).end()
}

fn key_list(users: &[(&User, Vec<&AccessKey>)]) -> String {
    let keys = users.iter().flat_map(|(user, keys)| {
        keys.iter().map(|key| {
            Obj::new()
                .str("UserName", &user.name)
                .str("AccessKeyId", &key.access_key_id)
                .str("Status", if key.active { "Active" } else { "Inactive" })
                .str("CreateDate", &iso(key.created))
                .end()
        })
    });
    Obj::new().raw("AccessKeyMetadata", &array(&keys.collect::<Vec<_>>())).end()
}

fn last_used_list(users: &[(&User, Vec<&AccessKey>)]) -> String {
    let keys = users.iter().flat_map(|(user, keys)| {
        keys.iter().map(|key| {
            let (service, region) = match &key.last_used_service {
                Some(service) => (service.as_str(), "eu-west-1"),
                None => ("N/A", "N/A"),
            };
            let last = key.last_used.map(iso);
            let used = Obj::new()
                .opt("LastUsedDate", last.as_deref())
                .str("ServiceName", service)
                .str("Region", region)
                .end();
            Obj::new()
                .str("AccessKeyId", &key.access_key_id)
                .str("UserName", &user.name)
                .raw("AccessKeyLastUsed", &used)
                .end()
        })
    });
    array(&keys.collect::<Vec<_>>())
}

/// Whoever signs in has a device.
fn mfa_devices(account: &str, user: &User) -> String {
    let device = user.console.then(|| {
        Obj::new()
            .str("UserName", &user.name)
            .str("SerialNumber", &format!("arn:aws:iam::{account}:mfa/{}", user.name))
            .str("EnableDate", &iso(user.created))
            .end()
    });
    Obj::new().raw("MFADevices", &array(&device.into_iter().collect::<Vec<_>>())).end()
}

const REPORT_HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
    password_last_changed,password_next_rotation,mfa_active,\
    access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,\
    access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,\
    access_key_2_last_used_region,access_key_2_last_used_service,\
    cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

fn credential_report(account: &str, users: &[(&User, Vec<&AccessKey>)]) -> String {
    let none = ["false", "N/A", "N/A", "N/A", "N/A"].join(",");
    let mut report = format!("{REPORT_HEADER}\n");
    let root_made = users.iter().map(|(user, _)| user.created).min().unwrap_or_default() - DAY;
    report.push_str(&format!(
        "<root_account>,arn:aws:iam::{account}:root,{},not_supported,no_information,not_supported,not_supported,true,\
         {none},{none},false,N/A,false,N/A\n",
        iso(root_made)
    ));
    for (user, keys) in users {
        let password = if user.console {
            format!("true,no_information,{},N/A", iso(user.created))
        } else {
            "false,N/A,N/A,N/A".to_owned()
        };
        let slot = |place: usize| keys.get(place).map_or_else(|| none.clone(), |key| slot(key));
        report.push_str(&format!(
            "{},{},{},{password},{},{},{},false,N/A,false,N/A\n",
            user.name,
            user.arn,
            iso(user.created),
            user.console,
            slot(0),
            slot(1)
        ));
    }
    report
}

fn slot(key: &AccessKey) -> String {
    let used = match (key.last_used, &key.last_used_service) {
        (Some(at), Some(service)) => format!("{},eu-west-1,{service}", iso(report_time(at))),
        _ => "N/A,N/A,N/A".to_owned(),
    };
    format!("{},{},{used}", key.active, iso(key.created))
}

/// The report keeps the first use of each quarter of an hour.
fn report_time(at: Micros) -> Micros {
    const QUARTER: Micros = DAY / 96;
    at.div_euclid(QUARTER) * QUARTER
}
