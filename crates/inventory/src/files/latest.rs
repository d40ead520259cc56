//! The latest time that an output tells of: it was printed no earlier.

use crate::output::{Credential, Output};

/// The latest of all times that are IAM's in it.
pub(super) fn latest(output: &Output) -> Option<i64> {
    let users = [&output.user_detail_list, &output.users].into_iter().flatten().flatten();
    let users = users.chain(&output.user);
    let users = users.flat_map(|user| [user.create_date, user.password_last_used]);
    let groups = [&output.group_detail_list, &output.groups].into_iter().flatten().flatten();
    let groups = groups.map(|group| group.create_date);
    let roles = [&output.role_detail_list, &output.roles].into_iter().flatten().flatten();
    let roles = roles.chain(&output.role).flat_map(|role| {
        let used = role.role_last_used.as_ref().and_then(|used| used.last_used_date);
        [role.create_date, used]
    });
    let keys = output.access_key_metadata.iter().flatten().map(|key| key.create_date);
    let used = output.access_key_last_used.iter().map(|used| used.last_used_date);
    let credentials = credentials(output).map(|credential| credential.create_date);
    let accessed = output.services_last_accessed.iter().flatten();
    let accessed = accessed.map(|service| service.last_authenticated);
    let all = users.chain(groups).chain(roles).chain(keys).chain(used).chain(credentials);
    let own = [output.create_date, output.last_used_date];
    all.chain(accessed).chain(own).flatten().max()
}

fn credentials(output: &Output) -> impl Iterator<Item = &Credential> {
    let lists = [
        &output.service_specific_credentials,
        &output.ssh_public_keys,
        &output.certificates,
        &output.mfa_devices,
        &output.virtual_mfa_devices,
    ];
    lists.into_iter().flatten().flatten()
}
