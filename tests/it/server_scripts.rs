//! The examples on servers, run as people run them: by the scripts beside them, which start a server, do all of it, show what is there then and end. Of January's
//! 27,004 flights 26,398 have arrived, by 3,140 aircraft: the others have no delay.

use crate::WEIR;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use weir_tests::process::{KafkaServer, PostgresServer, free_pair_of_ports};

/// What a script of `plugins/flight-delays` prints. Its server is gone then.
#[track_caller]
fn printed(script: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace");
    let (port, home) = (free_pair_of_ports().expect("ports are free"), tempfile::tempdir().expect("a folder"));
    let mut command = Command::new("sh");
    command.arg(workspace.join("plugins/flight-delays").join(script)).stdin(Stdio::null());
    // The job files name the component below the workspace's own `target/`.
    command.env("PORT", port.to_string()).env("WEIR", WEIR).env("WEIR_HOME", home.path()).env_remove("CARGO_TARGET_DIR");
    let output = command.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{script}: {}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "{script} has left its server behind");
    text(&output.stdout)
}

#[track_caller]
fn ends_with(printed: &str, lines: &[&str]) {
    let last: Vec<&str> = printed.trim_end().lines().rev().take(lines.len()).collect();
    assert!(last.iter().rev().eq(lines), "{printed}");
}

#[test]
fn the_flights_go_through_kafka() {
    // Where there can be no broker, the script has none either; where there is one, what it needs is fetched.
    let Some(_server) = KafkaServer::in_use() else { return };
    ends_with(&printed("kafka.sh"), &["26398 messages in delays"]);
}

#[test]
fn the_flights_go_into_postgresql() {
    let Some(_server) = PostgresServer::in_use() else { return };
    ends_with(&printed("postgres.sh"), &["3140 aircraft, 26398 flights"]);
}
