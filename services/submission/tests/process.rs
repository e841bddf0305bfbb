//! The real binary: its help, its readiness, its end.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

const BINARY: &str = env!("CARGO_BIN_EXE_moka-submission");

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
        (["--clusters", "nonsense"], 2),
        (["--clusters", "local=/nonexistent/kubeconfig"], 78),
        (["--database-url", "mysql://db"], 78),
        (["--scheduler-adapter-url", "nonsense"], 78),
        (["--listen", "0.0.0.0:0"], 78),
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

/// A process that is killed when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn it_gets_ready_without_its_peers_and_ends_well_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(BINARY)
        .args([
            "--roles",
            "api",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ])
        .args(["--scheduler-adapter-url", "http://127.0.0.1:1"])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let mut lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let address = lines
        .by_ref()
        .map(Result::unwrap)
        .find_map(|line| {
            let (_, rest) = line.split_once("admin port is open address=")?;
            Some(rest.trim().to_owned())
        })
        .unwrap();
    // The log must be read, or the process blocks when the pipe is full.
    let log = std::thread::spawn(move || lines.map_while(Result::ok).count());
    let url = format!("http://{address}/readyz");
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut ready = false;
    for _ in 0..200 {
        ready = reqwest::get(&url)
            .await
            .is_ok_and(|answer| answer.status().is_success());
        if ready {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ready);
    let pid = running.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    log.join().unwrap();
}
