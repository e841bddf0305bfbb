//! Runs the example and talks to it as its surroundings would.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(10);

/// A running example; killed when dropped.
pub(crate) struct Idle {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    port: u16,
}

impl Idle {
    pub(crate) fn run(arguments: &[&str]) -> Self {
        // Tests are in target/<profile>/deps, examples in target/<profile>/examples.
        let tests = env::current_exe().unwrap();
        let example = tests
            .parent()
            .unwrap()
            .parent()
            .unwrap()
            .join("examples/idle");
        let mut child = Command::new(example)
            .env("MOKA_LOG_FORMAT", "json")
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::clone(&log);
        let reader = thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut log = lines.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self {
            child,
            log,
            reader: Some(reader),
            port: 0,
        }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Takes the port from the log, since the example binds a free one.
    pub(crate) fn wait_for_admin_port(&mut self) {
        self.wait_until(|idle| {
            let log = idle.log();
            let opened = log.lines().find(|line| line.contains("admin port is open"));
            let Some(line) = opened else { return false };
            let line: Value = serde_json::from_str(line).unwrap();
            let (_, port) = line["address"].as_str().unwrap().rsplit_once(':').unwrap();
            idle.port = port.parse().unwrap();
            true
        });
    }

    pub(crate) fn wait_until(&mut self, condition: impl Fn(&mut Self) -> bool) {
        for _ in 0..PATIENCE.as_millis() / STEP.as_millis() {
            if condition(self) {
                return;
            }
            pause();
        }
        panic!("waited in vain; the log: {}", self.log());
    }

    /// Status and body of a request to the admin port.
    pub(crate) fn http(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let answer = self.exchange(method, path, body);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }

    pub(crate) fn http_head(&self, path: &str) -> String {
        self.exchange("GET", path, "")
            .split_once("\r\n\r\n")
            .unwrap()
            .0
            .to_owned()
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        write!(
            connection,
            "{method} {path} HTTP/1.1\r\nhost: idle\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn exit_code(&mut self) -> i32 {
        self.exit_code_within(PATIENCE)
    }

    pub(crate) fn exit_code_within(&mut self, patience: Duration) -> i32 {
        for _ in 0..patience.as_millis() / STEP.as_millis() {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.reader.take().unwrap().join().unwrap();
                return status.code().unwrap();
            }
            pause();
        }
        panic!("did not end; the log: {}", self.log());
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no runtime to block in this test"
)]
fn pause() {
    thread::sleep(STEP);
}
