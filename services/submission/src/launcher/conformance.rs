//! What every launcher must do, as one function that tests stamp on each implementation.
#![expect(clippy::panic, reason = "a suite that tests stamp on launchers")]

use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt as _, future::join_all, stream::BoxStream};
use jiff::Timestamp;
use moka_core::{ApplicationId, AttemptName};

use super::{Created, Fence, Grace, Launcher, Result, Sighting, SimulatedCluster, Target};
use crate::{
    domain::{
        application::{Application, Attempt, Placement},
        lifecycle::{Happening, apply},
        observation::{Container, ObjectView, Owner},
        resolve::{Rules, resolve},
    },
    store::conformance::submission,
};

/// How long a change may take until a watch names it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What others than the launcher do in its cluster.
#[async_trait]
pub trait Others: Send + Sync {
    /// The operator makes the driver's pod from the attempt's object.
    async fn create_driver(&self, name: AttemptName);

    /// The kubelet starts its container.
    async fn run_driver(&self, name: AttemptName);

    /// Its container ends.
    async fn end_driver(&self, name: AttemptName, exit_code: i32);

    /// Somebody else makes an object of this name.
    async fn create_stranger(&self, name: AttemptName);
}

#[async_trait]
impl Others for SimulatedCluster {
    async fn create_driver(&self, name: AttemptName) {
        Self::create_driver(self, name);
    }

    async fn run_driver(&self, name: AttemptName) {
        Self::run_driver(self, name);
    }

    async fn end_driver(&self, name: AttemptName, exit_code: i32) {
        Self::end_driver(self, name, exit_code);
    }

    async fn create_stranger(&self, name: AttemptName) {
        Self::create_stranger(self, name);
    }
}

/// Runs the whole suite in the namespace `namespace`; each step uses an id of its own. The
/// launcher's watches list everything anew within [`PATIENCE`].
///
/// # Errors
///
/// The first error that no step expects.
///
/// # Panics
///
/// When the launcher does otherwise than the suite demands.
pub async fn run(
    launcher: &dyn Launcher,
    others: &dyn Others,
    namespace: &str,
    mut ids: impl FnMut() -> ApplicationId + Send,
) -> Result<()> {
    let mut suite = || Suite::new(launcher, others, launching(ids(), namespace));
    suite().a_repeated_create_finds_its_own_object().await?;
    suite().concurrent_creates_make_one_object().await?;
    suite()
        .a_tombstone_keeps_creates_out_until_it_is_removed()
        .await?;
    suite().a_stranger_is_neither_adopted_nor_touched().await?;
    suite()
        .finalizers_keep_what_was_stopped_until_it_is_released()
        .await?;
    suite().a_finished_object_keeps_its_name().await?;
    suite().what_ended_as_expected_is_let_go_at_once().await?;
    suite().another_driver_or_object_is_not_let_go().await?;
    suite()
        .an_object_that_is_being_deleted_is_not_let_go_at_once()
        .await?;
    suite().watches_tell_what_changes().await?;
    suite()
        .watches_tell_everything_anew_from_time_to_time()
        .await?;
    suite().what_is_not_there_is_no_error().await
}

/// An application whose first attempt is to be created.
fn launching(id: ApplicationId, namespace: &str) -> Application {
    let submission = submission("team-a", "key", 0);
    let launch = resolve(&submission.spec, Rules::default()).expect("it lacks nothing");
    let now = Timestamp::from_second(1_800_000_000).expect("the second is in range");
    let mut application = Application::accepted(id, submission, now);
    let placed = Happening::Placed {
        attempt_number: 1,
        placement: Placement {
            cluster: "local".to_owned(),
            queue: "root.demo".to_owned(),
            namespace: namespace.to_owned(),
            scheduler_name: "yunikorn".to_owned(),
            ..Placement::default()
        },
        launch: Box::new(launch),
    };
    apply(&mut application, &placed, now);
    application
}

struct Suite<'a> {
    launcher: &'a dyn Launcher,
    others: &'a dyn Others,
    application: Application,
    target: Target,
}

impl<'a> Suite<'a> {
    fn new(launcher: &'a dyn Launcher, others: &'a dyn Others, application: Application) -> Self {
        let attempt = application.attempt().expect("it has an attempt");
        let target = Target::of(&application, attempt);
        Self {
            launcher,
            others,
            application,
            target,
        }
    }

    fn attempt(&self) -> &Attempt {
        self.application.attempt().expect("it has an attempt")
    }

    async fn create(&self) -> Result<Created> {
        self.launcher
            .create(&self.application, self.attempt())
            .await
    }

    async fn created(&self) -> Result<String> {
        match self.create().await? {
            Created::New { uid } => Ok(uid),
            other => panic!("{other:?} where nothing was"),
        }
    }

    async fn a_repeated_create_finds_its_own_object(&self) -> Result<()> {
        let uid = self.created().await?;
        assert_eq!(self.create().await?, Created::Adopted { uid: uid.clone() });
        let seen = self.launcher.observe(&self.target).await?;
        let object = seen.object.expect("it was created");
        assert_eq!((object.owner, &object.uid), (Owner::Attempt, &uid));
        assert!(object.has_finalizer && object.delete_time.is_none());
        assert_eq!(seen.driver, None);
        assert_eq!(
            self.launcher.fence(&self.target).await?,
            Fence::Object { uid }
        );
        Ok(())
    }

    async fn concurrent_creates_make_one_object(&self) -> Result<()> {
        let all = join_all((0..8).map(|_| self.create())).await;
        let mut uids = Vec::new();
        let mut new = 0;
        for one in all {
            match one? {
                Created::New { uid } => {
                    new += 1;
                    uids.push(uid);
                }
                Created::Adopted { uid } => uids.push(uid),
                Created::NameTaken(owner) => panic!("the name is {owner:?}'s"),
            }
        }
        uids.dedup();
        assert_eq!((new, uids.len()), (1, 1));
        Ok(())
    }

    async fn a_tombstone_keeps_creates_out_until_it_is_removed(&self) -> Result<()> {
        for _ in 0..2 {
            assert_eq!(self.launcher.fence(&self.target).await?, Fence::Tombstone);
        }
        assert_eq!(self.create().await?, Created::NameTaken(Owner::Tombstone));
        self.launcher.stop(&self.target, Grace::Own).await?;
        assert_eq!(self.launcher.release(&self.target).await?, 0);
        let seen = self.launcher.observe(&self.target).await?;
        assert_eq!(seen.object.expect("it stays").owner, Owner::Tombstone);
        self.launcher.remove(&self.target).await?;
        self.created().await.map(drop)
    }

    async fn a_stranger_is_neither_adopted_nor_touched(&self) -> Result<()> {
        self.others.create_stranger(self.target.name).await;
        assert_eq!(self.create().await?, Created::NameTaken(Owner::Stranger));
        assert_eq!(self.launcher.fence(&self.target).await?, Fence::Stranger);
        self.launcher.stop(&self.target, Grace::Own).await?;
        assert_eq!(self.launcher.release(&self.target).await?, 0);
        self.launcher.remove(&self.target).await?;
        let seen = self.launcher.observe(&self.target).await?;
        let object = seen.object.expect("it is not ours to delete");
        assert_eq!((object.owner, object.delete_time), (Owner::Stranger, None));
        Ok(())
    }

    async fn finalizers_keep_what_was_stopped_until_it_is_released(&self) -> Result<()> {
        self.created().await?;
        self.others.create_driver(self.target.name).await;
        self.others.run_driver(self.target.name).await;
        let driver = self.launcher.observe(&self.target).await?.driver;
        let driver = driver.expect("it was created");
        assert!(matches!(driver.container, Container::Running { .. }));
        assert!(driver.has_finalizer && driver.spark_application_id.is_some());
        for _ in 0..2 {
            self.launcher.stop(&self.target, Grace::Own).await?;
        }
        self.others.end_driver(self.target.name, 143).await;
        let seen = self.launcher.observe(&self.target).await?;
        let (object, driver) = (seen.object, seen.driver);
        assert!(object.is_some_and(|object| object.delete_time.is_some()));
        let driver = driver.expect("its finalizer keeps it");
        assert!(driver.has_ended() && driver.delete_time.is_some());
        // While the object is being deleted, its name is not free.
        assert!(matches!(self.create().await?, Created::Adopted { .. }));
        assert_eq!(self.launcher.release(&self.target).await?, 2);
        assert_eq!(self.launcher.release(&self.target).await?, 0);
        let seen = self.launcher.observe(&self.target).await?;
        assert_eq!(seen.object, None);
        Ok(())
    }

    async fn a_finished_object_keeps_its_name(&self) -> Result<()> {
        let uid = self.created().await?;
        self.others.create_driver(self.target.name).await;
        self.others.end_driver(self.target.name, 0).await;
        assert_eq!(self.launcher.release(&self.target).await?, 2);
        let seen = self.launcher.observe(&self.target).await?;
        assert!(seen.object.is_some_and(|object| !object.has_finalizer));
        assert_eq!(self.create().await?, Created::Adopted { uid });
        self.launcher.remove(&self.target).await?;
        assert_eq!(self.launcher.observe(&self.target).await?.object, None);
        Ok(())
    }

    /// An attempt whose driver has ended, and the driver's uid.
    async fn ended(&self) -> Result<(Target, String)> {
        let uid = self.created().await?;
        self.others.create_driver(self.target.name).await;
        self.others.end_driver(self.target.name, 0).await;
        let driver = self.launcher.driver(&self.target).await?;
        let driver = driver.expect("its finalizer keeps it");
        assert!(driver.has_ended());
        let target = Target {
            uid: Some(uid),
            ..self.target.clone()
        };
        Ok((target, driver.uid))
    }

    /// Whether the object and the driver have their finalizers.
    async fn finalizers(&self) -> Result<(bool, bool)> {
        let seen = self.launcher.observe(&self.target).await?;
        let object = seen.object.expect("nobody deleted it");
        let driver = seen.driver.expect("nobody deleted it");
        Ok((object.has_finalizer, driver.has_finalizer))
    }

    async fn what_ended_as_expected_is_let_go_at_once(&self) -> Result<()> {
        let (target, driver_uid) = self.ended().await?;
        assert!(self.launcher.release_ended(&target, &driver_uid).await?);
        assert_eq!(self.finalizers().await?, (false, false));
        assert!(!self.launcher.release_ended(&target, &driver_uid).await?);
        Ok(())
    }

    async fn another_driver_or_object_is_not_let_go(&self) -> Result<()> {
        let (target, driver_uid) = self.ended().await?;
        assert!(!self.launcher.release_ended(&target, "another").await?);
        assert_eq!(self.finalizers().await?, (true, true));
        let another = Target {
            uid: Some("another".to_owned()),
            ..target
        };
        assert!(!self.launcher.release_ended(&another, &driver_uid).await?);
        assert_eq!(self.finalizers().await?, (true, false));
        Ok(())
    }

    /// Its name would be free at once, and nothing would keep a late create out.
    async fn an_object_that_is_being_deleted_is_not_let_go_at_once(&self) -> Result<()> {
        let (target, driver_uid) = self.ended().await?;
        self.launcher.stop(&target, Grace::Own).await?;
        assert!(!self.launcher.release_ended(&target, &driver_uid).await?);
        let seen = self.launcher.observe(&target).await?;
        assert!(seen.object.is_some_and(|object| object.has_finalizer));
        Ok(())
    }

    async fn watches_tell_what_changes(&self) -> Result<()> {
        let mut sightings = self.launcher.sightings();
        let is_object = |name, view: Option<&ObjectView>| match view {
            Some(view) if name == self.target.name => Some(view.delete_time.is_some()),
            _ => None,
        };
        let object = |sighting: &Sighting| match sighting {
            Sighting::Object(name, view) => is_object(*name, view.as_ref()),
            Sighting::Objects(all) => all
                .iter()
                .find_map(|(name, view)| is_object(*name, Some(view))),
            _ => None,
        };
        let driver = |sighting: &Sighting| match sighting {
            Sighting::Driver(name, Some(_)) => *name == self.target.name,
            Sighting::Drivers(all) => all.iter().any(|(name, _)| *name == self.target.name),
            _ => false,
        };
        self.created().await?;
        self.seen(&mut sightings, |one| object(one) == Some(false))
            .await;
        self.others.create_driver(self.target.name).await;
        self.seen(&mut sightings, driver).await;
        self.launcher.stop(&self.target, Grace::Own).await?;
        self.seen(&mut sightings, |one| object(one) == Some(true))
            .await;
        // Another watch tells at its start what is there already.
        self.seen(&mut self.launcher.sightings(), |one| {
            object(one) == Some(true)
        })
        .await;
        self.launcher.release(&self.target).await?;
        let is_gone = |sighting: &Sighting| matches!(sighting, Sighting::Object(name, None) if *name == self.target.name);
        self.seen(&mut sightings, is_gone).await;
        Ok(())
    }

    async fn seen(
        &self,
        sightings: &mut BoxStream<'static, Sighting>,
        is_it: impl Fn(&Sighting) -> bool + Send,
    ) {
        let seen = async {
            while let Some(sighting) = sightings.next().await {
                if is_it(&sighting) {
                    return;
                }
            }
            panic!("the watch ended");
        };
        let in_time = tokio::time::timeout(PATIENCE, seen).await;
        assert!(in_time.is_ok(), "{} is not told", self.target.name);
    }

    async fn watches_tell_everything_anew_from_time_to_time(&self) -> Result<()> {
        self.created().await?;
        let ours = |all: &[(AttemptName, ObjectView)]| {
            all.iter().any(|(name, _)| *name == self.target.name)
        };
        let lists_it = |one: &Sighting| matches!(one, Sighting::Objects(all) if ours(all));
        let lists_drivers = |one: &Sighting| matches!(one, Sighting::Drivers(_));
        let mut sightings = self.launcher.sightings();
        for _ in 0..2 {
            self.seen(&mut sightings, lists_it).await;
            self.seen(&mut sightings, lists_drivers).await;
        }
        self.launcher.stop(&self.target, Grace::Own).await?;
        self.launcher.release(&self.target).await?;
        Ok(())
    }

    async fn what_is_not_there_is_no_error(&self) -> Result<()> {
        self.launcher.stop(&self.target, Grace::Own).await?;
        assert_eq!(self.launcher.release(&self.target).await?, 0);
        self.launcher.remove(&self.target).await?;
        let seen = self.launcher.observe(&self.target).await?;
        assert_eq!((seen.object, seen.driver), (None, None));
        assert_eq!(self.launcher.driver(&self.target).await?, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use moka_core::{clock::SystemClock, entropy::SeededEntropy};

    use super::*;

    #[tokio::test]
    async fn the_simulated_cluster_does_what_a_launcher_must() {
        let clock = Arc::new(SystemClock);
        let cluster = SimulatedCluster::new(Arc::clone(&clock) as _, Duration::from_secs(1));
        let entropy = SeededEntropy::new(11);
        let ids = || ApplicationId::mint(&*clock, &entropy);
        run(&cluster, &cluster, "spark-jobs", ids).await.unwrap();
    }
}
