//! The real binary: its help, its readiness, its end.
#![expect(clippy::unwrap_used, reason = "test support")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

const BINARY: &str = env!("CARGO_BIN_EXE_moka-history-index");

/// A process that is killed when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn help_is_as_documented() {
    let output = Command::new(BINARY)
        .arg("--help")
        .env_clear()
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    assert_eq!(help, include_str!("help.txt"));
}

#[test]
fn a_configuration_that_cannot_be_used_is_told_at_once() {
    for (arguments, code) in [
        (["--poll-interval-seconds", "0"], 2),
        (["--database-url", "mysql://db"], 78),
        (["--objects-url", "ftp://x"], 78),
        (["--submission-url", "nonsense"], 78),
        (["--listen", "0.0.0.0:0"], 78),
        (["--rest-listen", "0.0.0.0:0"], 78),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(BINARY)
            .args(["--admin-listen", "127.0.0.1:0"])
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {output:?}"
        );
    }
}

#[test]
fn it_gets_ready_without_submission_and_ends_well_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(BINARY)
        .args(["--listen", "127.0.0.1:0", "--rest-listen", "127.0.0.1:0"])
        .args([
            "--admin-listen",
            "127.0.0.1:0",
            "--submission-url",
            "http://127.0.0.1:1",
        ])
        .args([
            "--objects-url",
            &format!("file://{}/objects", folder.path().display()),
        ])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let mut lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let admin = address(&mut lines, "admin port is open");
    let rest = address(&mut lines, "REST port is open");
    // The log must be read, or the process blocks when the pipe is full.
    let log = std::thread::spawn(move || lines.map_while(Result::ok).count());
    wait_until(|| get(&admin, "/readyz").starts_with("HTTP/1.1 200"));
    let metrics = get(&admin, "/metrics");
    assert!(
        metrics.contains("moka_history_index_indexed_events_total 0"),
        "{metrics}"
    );
    assert!(get(&rest, "/api/v1/applications").ends_with("[]"));

    let killed = Command::new("kill")
        .arg(running.0.id().to_string())
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    assert!(log.join().unwrap() > 0);
}

fn address(lines: &mut impl Iterator<Item = std::io::Result<String>>, message: &str) -> String {
    let line = lines
        .map(Result::unwrap)
        .find(|line| line.contains(message))
        .unwrap();
    line.rsplit_once("address=").unwrap().1.trim().to_owned()
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[expect(
    clippy::disallowed_methods,
    reason = "this test watches another process, in real time"
)]
fn wait_until(condition: impl Fn() -> bool) {
    let start = SystemTime::now();
    while !condition() {
        assert!(
            start.elapsed().unwrap() < Duration::from_secs(30),
            "it took too long"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
