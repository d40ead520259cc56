//! Settings that cannot be meant are refused before anything is done.

use crate::support::{Cmd, Ground, Scratch};

const URL: &str = "http://127.0.0.1:9/000000000000/queue";

/// Arguments, environment, and the setting that the message must name.
type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static str);

const CASES: [Case; 14] = [
    (&[], &[], "--queue-url"),
    (&["--queue-url", "my-queue"], &[], "--queue-url"),
    (&[], &[("ROLECALL_QUEUE_URL", "https://")], "ROLECALL_QUEUE_URL"),
    (&["--queue-url", URL, "--batch-seconds", "0"], &[], "--batch-seconds"),
    (&["--queue-url", URL, "--batch-seconds", "soon"], &[], "--batch-seconds"),
    (&["--queue-url", URL], &[("ROLECALL_BATCH_SECONDS", "-1")], "ROLECALL_BATCH_SECONDS"),
    (&["--queue-url", URL, "--visibility-timeout", "1"], &[], "--visibility-timeout"),
    (&["--queue-url", URL, "--visibility-timeout", "43201"], &[], "--visibility-timeout"),
    (&["--queue-url", URL, "--max-messages", "0"], &[], "--max-messages"),
    (&["--queue-url", URL, "--listen", "8080"], &[], "--listen"),
    (&["--queue-url", URL], &[("ROLECALL_LISTEN", "everywhere")], "ROLECALL_LISTEN"),
    (&["--queue-url", URL, "--maintain-every", "999"], &[], "--maintain-every"),
    (&["--queue-url", URL, "--source-role-arn", "reader"], &[], "--source-role-arn"),
    (&["--queue-url", URL, "--external-id", "chosen-by-us"], &[], "--external-id"),
];

#[test]
fn bad_settings_are_named() {
    let scratch = Scratch::new(Ground::Folder);
    for (args, environment, named) in CASES {
        let lake = scratch.lake("lake");
        let cmd: Cmd = lake.command("worker").env("AWS_REGION", "us-east-1").args(args);
        let cmd = environment.iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value));
        let run = cmd.run().exits(2);
        run.complains_of(&[named]);
        assert!(!scratch.path("lake").exists(), "a lake was made: {run}");
    }
}

#[test]
fn a_bad_setting_in_the_file_is_named() {
    let scratch = Scratch::new(Ground::Folder);
    scratch.write("rolecall.toml", "[worker]\nqueue_url = \"http://h/q\"\nmax_messages = 3\n");
    let run = scratch.lake("lake").command("worker").run().exits(2);
    run.complains_of(&["worker.max_messages"]);
}
