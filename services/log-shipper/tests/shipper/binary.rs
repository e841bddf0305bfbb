//! The real binary, as its surroundings see it.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::node::until;

/// A running shipper; killed when dropped.
pub(crate) struct Binary {
    child: Child,
    log: PathBuf,
}

impl Binary {
    /// Starts it; its log goes to a file of its own below `directory`.
    pub(crate) fn start(directory: &Path, options: &[String]) -> Self {
        let log = directory.join("shipper.log");
        let child = Command::new(env!("CARGO_BIN_EXE_moka-log-shipper"))
            .args(["--admin-listen=127.0.0.1:0", "--log-format=json"])
            .args(options)
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for readiness, and returns the admin port, which it takes from the log.
    pub(crate) async fn until_ready(&self) -> u16 {
        let port = || {
            let log = self.log();
            let line = log
                .lines()
                .find(|line| line.contains("admin port is open"))?;
            let line: Value = serde_json::from_str(line).ok()?;
            line["address"].as_str()?.rsplit_once(':')?.1.parse().ok()
        };
        until(async || port().is_some_and(|port| get(port, "/readyz").0 == 200)).await;
        port().unwrap()
    }

    /// As the kubelet does it.
    pub(crate) fn terminate(&self) {
        let kill = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(kill.unwrap().success());
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn exit_code(mut self) -> i32 {
        let mut code = None;
        for _ in 0..2_000 {
            code = self.child.try_wait().unwrap();
            if code.is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let ended = code.unwrap_or_else(|| panic!("does not end; the log: {}", self.log()));
        ended.code().unwrap()
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and body of a page of the admin port.
pub(crate) fn get(port: u16, path: &str) -> (u16, String) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        connection,
        "GET {path} HTTP/1.1\r\nhost: shipper\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        body.to_owned(),
    )
}
