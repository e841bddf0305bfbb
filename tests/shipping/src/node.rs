//! A node's folder: pods that log, a driver that writes events, and what each of them has written.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};

use crate::chance::Chance;

/// A line as a reader should get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) time: Option<Timestamp>,
    pub(crate) text: Vec<u8>,
}

/// A container's log on its node.
#[derive(Debug)]
pub(crate) struct ContainerLog {
    pub(crate) pod: String,
    pub(crate) container: &'static str,
    pub(crate) file: PathBuf,
    /// Whole lines, in the order of their ends.
    pub(crate) written: Vec<Written>,
    /// Lines of the file: parts count.
    pub(crate) line_count: u64,
    begun: Option<Written>,
    time: Timestamp,
    rotation_count: u32,
}

impl ContainerLog {
    pub(crate) fn new(pods: &Path, pod: String, container: &'static str) -> Self {
        let folder = pods.join(format!("spark-jobs_{pod}_0a-1")).join(container);
        fs::create_dir_all(&folder).unwrap();
        Self {
            pod,
            container,
            file: folder.join("0.log"),
            written: Vec::new(),
            line_count: 0,
            begun: None,
            time: "2026-11-21T03:00:00Z".parse().unwrap(),
            rotation_count: 0,
        }
    }

    /// Writes some lines of all kinds.
    pub(crate) fn write(&mut self, chance: &mut Chance) {
        let mut bytes = Vec::new();
        for _ in 0..=chance.below(30) {
            // Many lines have the time of the one before.
            self.time += SignedDuration::from_nanos(i64::from(chance.happens(70)) * 977);
            let goes_on = chance.happens(5);
            let mut text = format!("line {} ", self.line_count).into_bytes();
            text.extend(match chance.below(20) {
                0 => b"\xff\xfe\0 no text".to_vec(),
                1 => b"\x1b[31mred\x1b[0m\r".to_vec(),
                2 => vec![b'x'; usize::try_from(chance.below(20_000)).unwrap()],
                _ => "äöü€😀".as_bytes().to_vec(),
            });
            let flag = if goes_on { 'P' } else { 'F' };
            bytes.extend(format!("{} stdout {flag} ", self.time).into_bytes());
            bytes.extend_from_slice(&text);
            bytes.push(b'\n');
            self.line_count += 1;
            let line = self.begun.get_or_insert_with(|| Written {
                time: Some(self.time),
                text: Vec::new(),
            });
            line.text.extend_from_slice(&text);
            if !goes_on {
                self.written.extend(self.begun.take());
            }
        }
        append(&self.file, &bytes);
    }

    /// Writes whole lines that hardly get smaller.
    pub(crate) fn write_noise(&mut self, chance: &mut Chance, line_count: u32) {
        let mut bytes = Vec::new();
        for _ in 0..line_count {
            self.time += SignedDuration::from_nanos(977);
            let digits = (0..60).map(|_| format!("{:016x}", chance.below(u64::MAX)));
            let text: String = digits.collect();
            bytes.extend(format!("{} stdout F {text}\n", self.time).into_bytes());
            self.line_count += 1;
            self.written.push(Written {
                time: Some(self.time),
                text: text.into_bytes(),
            });
        }
        append(&self.file, &bytes);
    }

    /// As the kubelet does it.
    pub(crate) fn rotate(&mut self) {
        if !self.file.exists() {
            return;
        }
        self.rotation_count += 1;
        let name = format!("0.log.20261121-{:06}", self.rotation_count);
        fs::rename(&self.file, self.file.with_file_name(name)).unwrap();
        append(&self.file, b"");
    }

    /// As logrotate's `copytruncate` does it.
    pub(crate) fn copy_and_truncate(&mut self) {
        fs::copy(&self.file, self.file.with_file_name("0.log.1")).unwrap();
        let file = OpenOptions::new().write(true).open(&self.file).unwrap();
        file.set_len(0).unwrap();
    }

    /// The container dies within a line.
    pub(crate) fn tear(&mut self) {
        append(
            &self.file,
            format!("{} stdout F torn", self.time).as_bytes(),
        );
        self.line_count += 1;
        let line = self.begun.take();
        let mut line = line.unwrap_or(Written {
            time: Some(self.time),
            text: Vec::new(),
        });
        line.text.extend_from_slice(b"torn");
        self.written.push(line);
    }

    /// Nothing more comes: what was begun is a line.
    pub(crate) fn end(&mut self) {
        self.written.extend(self.begun.take());
    }
}

/// A driver's event log.
#[derive(Debug)]
pub(crate) struct EventLog {
    pub(crate) name: &'static str,
    pub(crate) file: PathBuf,
    pub(crate) written: Vec<Written>,
}

impl EventLog {
    pub(crate) fn new(events: &Path, attempt: &str) -> Self {
        let folder = events.join(attempt);
        fs::create_dir_all(&folder).unwrap();
        let name = "spark-0123456789abcdef0123456789abcdef";
        Self {
            name,
            file: folder.join(format!("{name}.inprogress")),
            written: Vec::new(),
        }
    }

    pub(crate) fn write(&mut self, chance: &mut Chance) {
        let mut bytes = Vec::new();
        for _ in 0..=chance.below(20) {
            let pad = "y".repeat(usize::try_from(chance.below(500)).unwrap());
            let number = self.written.len();
            let line =
                format!("{{\"Event\":\"SparkListenerTaskEnd\",\"n\":{number},\"pad\":\"{pad}\"}}");
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
            self.written.push(Written {
                time: None,
                text: line.into_bytes(),
            });
        }
        append(&self.file, &bytes);
    }

    /// The driver dies within a line, which is never whole.
    pub(crate) fn tear(&self) {
        append(&self.file, b"{\"Event\":\"SparkListenerTaskEn");
    }

    /// The driver ends.
    pub(crate) fn finish(&self) {
        fs::rename(&self.file, self.file.with_file_name(self.name)).unwrap();
    }
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(bytes).unwrap();
}
