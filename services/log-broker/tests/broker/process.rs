//! The real binary: help, readiness, SIGTERM, and the subcommands for people.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use crate::raw::{ATTEMPT, FILE, attempt, grammar, objects, text};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn broker() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moka-log-broker"));
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

#[tokio::test]
async fn help_text_is_the_one_that_was_proofread() {
    let output = broker().arg("--help").env_clear().output().await.unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let expected = include_str!("../help.txt");
    assert!(help == expected, "tests/help.txt should be:\n{help}");
}

pub(crate) async fn port_of(lines: &mut Lines<BufReader<ChildStderr>>, message: &str) -> u16 {
    loop {
        let line = timeout(PATIENCE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        if line.contains(message) {
            let log: serde_json::Value = serde_json::from_str(&line).unwrap();
            let (_, port) = log["address"].as_str().unwrap().rsplit_once(':').unwrap();
            return port.parse().unwrap();
        }
    }
}

async fn is_ready(port: u16) -> bool {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = b"GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    connection.write_all(request).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer.starts_with("HTTP/1.1 200")
}

async fn terminate(child: &mut Child) -> Option<i32> {
    let id = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", "TERM", &id])
            .status()
            .await
            .unwrap()
            .success()
    );
    timeout(PATIENCE, child.wait())
        .await
        .unwrap()
        .unwrap()
        .code()
}

#[tokio::test]
async fn service_gets_ready_without_submission_and_ends_clean() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = broker()
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .args([
            "--submission-url",
            "http://127.0.0.1:9",
            "--log-format",
            "json",
        ])
        .args(["--objects-url", &url(directory.path())])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let admin = port_of(&mut lines, "admin port is open").await;
    port_of(&mut lines, "gRPC port is open").await;
    while !is_ready(admin).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(terminate(&mut child).await, Some(0));
}

#[tokio::test]
async fn unusable_configuration_has_its_exit_code() {
    for arguments in [
        ["--listen", "0.0.0.0:0"],
        ["--submission-url", "ftp://a"],
        ["--objects-url", "ftp://a"],
    ] {
        let mut command = broker();
        command
            .args(["--admin-listen", "127.0.0.1:0"])
            .args(arguments)
            .stderr(Stdio::null());
        let status = timeout(PATIENCE, command.status()).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(78), "{arguments:?}");
    }
    let objects = tempfile::tempdir().unwrap();
    let mut command = broker();
    command
        .args(["--admin-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"])
        .args(["--objects-url", &url(objects.path())])
        // Keys that do not tell whose an object is.
        .args([
            "--retention",
            "default=1/1/1",
            "--event-keys",
            "events/{file}/",
        ])
        .stderr(Stdio::null());
    let status = timeout(PATIENCE, command.status()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(78));
    for arguments in [["--event-keys", "{who}/"], ["--retention", "default=0/1/1"]] {
        let mut command = broker();
        let status = command.args(arguments).stderr(Stdio::null()).status();
        assert_eq!(status.await.unwrap().code(), Some(2), "{arguments:?}");
    }
}

pub(crate) fn url(directory: &Path) -> String {
    format!("file://{}", directory.display())
}

#[tokio::test]
async fn people_can_assemble_and_read_by_hand() {
    let (raw, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = format!("/var/lib/moka/events/{ATTEMPT}/{FILE}");
    let lines: Vec<_> = (0..20)
        .map(|event| format!("{{\"Event\":\"{event}\"}}"))
        .collect();
    let prefix = raw
        .path()
        .join(grammar().events_prefix(attempt()))
        .join(FILE);
    std::fs::create_dir_all(&prefix).unwrap();
    for (number, bytes) in objects(&path, None, &lines, 6).into_iter().enumerate() {
        std::fs::write(prefix.join(format!("{}.jsonl", 9 - number)), bytes).unwrap();
    }
    let raw_url = url(raw.path());
    let cat = broker()
        .args(["cat", "--raw", &raw_url, "--path", &path])
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(cat.stderr).unwrap();
    assert!(cat.status.success() && told == "COMPLETE\n", "{told}");
    assert!(cat.stdout == text(&lines));

    let assemble = [
        "assemble",
        "--raw",
        &raw_url,
        "--out",
        &url(out.path()),
        "--ended",
    ];
    let assembled = broker().args(assemble).output().await.unwrap();
    assert!(
        assembled.status.success(),
        "{}",
        String::from_utf8_lossy(&assembled.stderr)
    );
    let manifest: serde_json::Value = serde_json::from_slice(&assembled.stdout).unwrap();
    assert_eq!(
        (&manifest["state"], &manifest["synthetic_end"]),
        (&"completed".into(), &true.into())
    );
    let log = out.path().join(format!("eventlogs/eventlog_v2_{FILE}"));
    assert!(log.join(format!("appstatus_{FILE}")).exists());
    let chunk = std::fs::read(log.join(format!("events_1_{FILE}"))).unwrap();
    assert!(chunk == text(&lines));

    std::fs::remove_file(prefix.join("8.jsonl")).unwrap();
    let cat = broker()
        .args(["cat", "--raw", &raw_url, "--path", &path])
        .output()
        .await
        .unwrap();
    assert_eq!(cat.status.code(), Some(3));
    let (start, end) = (text(&lines[..6]).len(), text(&lines[..12]).len());
    assert_eq!(
        String::from_utf8(cat.stderr).unwrap(),
        format!("bytes {start} to {end} of {path} are missing\nLOST\n")
    );
}
