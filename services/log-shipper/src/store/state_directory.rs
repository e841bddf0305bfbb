//! The file of offsets and the lock beside it.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{Progress, StreamId},
    error::StateError,
};

/// The form of the file; a file of another form is taken as damaged.
const VERSION: u32 = 1;
const OFFSETS: &str = "offsets.json";
/// The offsets before the last ones.
const FORMER: &str = "offsets.json.old";

/// Progress by stream.
pub type Saved = BTreeMap<StreamId, Progress>;

/// The state directory, held by this process alone. Clones share the lock.
#[derive(Debug, Clone)]
pub struct StateDirectory {
    path: PathBuf,
    _lock: Arc<File>,
}

/// What the directory held.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded {
    /// The offsets of the run before; none at the first start.
    Intact(Saved),
    /// The file cannot be read as offsets. It was put aside as `offsets.json.corrupt`.
    Corrupt {
        /// What is wrong with it.
        problem: String,
        /// The offsets that were written before it; none when they are damaged too.
        former: Saved,
    },
}

#[derive(Serialize, Deserialize)]
struct Contents {
    version: u32,
    streams: Vec<Stream>,
}

#[derive(Serialize, Deserialize)]
struct Stream {
    id: StreamId,
    progress: Progress,
}

impl StateDirectory {
    /// Makes the directory when it is absent, and locks it for as long as the value lives.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or when another process holds it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let unusable = |source| StateError::Unusable {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(unusable)?;
        let lock = File::create(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::Locked(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: Arc::new(lock),
        })
    }

    /// Reads the offsets.
    ///
    /// # Errors
    ///
    /// When the file is there but cannot be read or put aside.
    pub fn load(&self) -> Result<Loaded, StateError> {
        let path = self.path.join(OFFSETS);
        let unusable = |source| StateError::Unusable {
            path: path.clone(),
            source,
        };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Loaded::Intact(Saved::new()));
            }
            Err(error) => return Err(unusable(error)),
        };
        match parse(&bytes) {
            Ok(saved) => Ok(Loaded::Intact(saved)),
            Err(problem) => {
                fs::rename(&path, path.with_extension("json.corrupt")).map_err(unusable)?;
                let former = fs::read(self.path.join(FORMER)).ok();
                let former = former.and_then(|bytes| parse(&bytes).ok());
                Ok(Loaded::Corrupt {
                    problem,
                    former: former.unwrap_or_default(),
                })
            }
        }
    }

    /// Replaces the offsets: durably, all or nothing.
    ///
    /// # Errors
    ///
    /// When the disk does not take them; the former file is still there then.
    pub fn save(&self, saved: &Saved) -> io::Result<()> {
        let contents = Contents {
            version: VERSION,
            streams: saved
                .iter()
                .map(|(id, progress)| Stream {
                    id: id.clone(),
                    progress: progress.clone(),
                })
                .collect(),
        };
        let bytes = serde_json::to_vec(&contents)?;
        let temporary = self.path.join("offsets.json.new");
        let mut file = File::create(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        self.keep_former()?;
        fs::rename(&temporary, self.path.join(OFFSETS))?;
        File::open(&self.path)?.sync_all()
    }

    /// Gives the file a second name, so that there is one of the first name at any time.
    fn keep_former(&self) -> io::Result<()> {
        let former = self.path.join(FORMER);
        match fs::remove_file(&former) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        match fs::hard_link(self.path.join(OFFSETS), &former) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Saved, String> {
    let contents: Contents = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if contents.version != VERSION {
        return Err(format!("version {} is not {VERSION}", contents.version));
    }
    let streams = contents.streams.into_iter();
    Ok(streams.map(|stream| (stream.id, stream.progress)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(offset_bytes: u64) -> Saved {
        let id = StreamId {
            path: "/var/log/pods/a_b_c/d/0.log".to_owned(),
            inode: 7,
            birth_nanoseconds: Some(1_700_000_000_123_456_789),
        };
        let mut progress = Progress::start(&id, 0);
        progress.offset_bytes = offset_bytes;
        progress.fingerprint = b"\xffend\n".to_vec();
        Saved::from([(id, progress)])
    }

    #[test]
    fn offsets_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(directory.path()).unwrap();
        assert_eq!(state.load().unwrap(), Loaded::Intact(Saved::new()));
        state.save(&saved(1)).unwrap();
        state.save(&saved(2)).unwrap();
        assert_eq!(state.load().unwrap(), Loaded::Intact(saved(2)));
    }

    #[test]
    fn crash_while_saving_leaves_the_former_offsets() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(directory.path()).unwrap();
        state.save(&saved(1)).unwrap();
        fs::write(
            directory.path().join("offsets.json.new"),
            b"{\"version\":1,\"str",
        )
        .unwrap();
        assert_eq!(state.load().unwrap(), Loaded::Intact(saved(1)));
        state.save(&saved(2)).unwrap();
        assert_eq!(state.load().unwrap(), Loaded::Intact(saved(2)));
    }

    #[test]
    fn damaged_offsets_are_put_aside() {
        for damage in [&b""[..], b"{", b"\0\0\0", b"{\"version\":2,\"streams\":[]}"] {
            let directory = tempfile::tempdir().unwrap();
            let state = StateDirectory::open(directory.path()).unwrap();
            fs::write(directory.path().join(OFFSETS), damage).unwrap();
            assert!(
                matches!(state.load().unwrap(), Loaded::Corrupt { former, .. } if former.is_empty()),
                "{damage:?}"
            );
            let aside = fs::read(directory.path().join("offsets.json.corrupt")).unwrap();
            assert_eq!(aside, damage);
            assert_eq!(state.load().unwrap(), Loaded::Intact(Saved::new()));
        }
    }

    #[test]
    fn former_offsets_stand_in_for_damaged_ones() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::open(directory.path()).unwrap();
        for offset_bytes in 1..=3 {
            state.save(&saved(offset_bytes)).unwrap();
        }
        // In place, as a bad disk does it.
        let offsets = directory.path().join(OFFSETS);
        fs::rename(&offsets, directory.path().join("moved")).unwrap();
        fs::write(&offsets, b"{").unwrap();
        let Loaded::Corrupt { former, .. } = state.load().unwrap() else {
            panic!("not told to be damaged");
        };
        assert_eq!(former, saved(2));
    }

    #[test]
    fn second_shipper_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let first = StateDirectory::open(directory.path()).unwrap();
        let second = StateDirectory::open(directory.path());
        assert!(matches!(second, Err(StateError::Locked(_))), "{second:?}");
        drop(first);
        StateDirectory::open(directory.path()).unwrap();
    }
}
