//! SIGKILL of submission at every further step of an attempt's life, and of what follows it.

use moka_proto::submission::v1::{
    Application, ApplicationSpec, ApplicationState, ExitCategory, RetryPolicy,
};
use moka_tests_control_plane::{Call, Fault};
use serde_json::{Value, json};

use crate::{Database, Installation, objects::Witness};

/// Where it dies.
#[derive(Clone, Copy, Debug)]
enum Step {
    UidCommitted,
    RunningSeen,
    EndingNoted,
    Stopping,
    TombstonePut,
    EndCommitted,
    FinalizersGone,
    BetweenAttempts,
}

const STEPS: [Step; 8] = [
    Step::UidCommitted,
    Step::RunningSeen,
    Step::EndingNoted,
    Step::Stopping,
    Step::TombstonePut,
    Step::EndCommitted,
    Step::FinalizersGone,
    Step::BetweenAttempts,
];

fn running() -> Value {
    json!({ "running": { "startedAt": "2026-11-21T01:23:11Z" } })
}

fn terminated(exit_code: i32) -> Value {
    json!({ "terminated": { "exitCode": exit_code, "reason": "Error" } })
}

impl Installation {
    async fn die(&mut self) {
        self.submission.kill().await;
        self.submission.start().await;
    }

    async fn drive(&self, name: &str) {
        self.objects.create_driver(name).await;
        self.objects
            .set_driver_status(name, "Running", running())
            .await;
    }

    async fn end(&self, name: &str, exit_code: i32) {
        let phase = if exit_code == 0 {
            "Succeeded"
        } else {
            "Failed"
        };
        self.objects
            .set_driver_status(name, phase, terminated(exit_code))
            .await;
    }

    /// Lets an application run up to the step, dies there, and lets it come to its end.
    async fn dies_at(&mut self, step: Step) -> Application {
        if matches!(step, Step::TombstonePut) {
            return self.dies_after_a_tombstone().await;
        }
        let id = self.submit_retrying(&format!("{step:?}")).await;
        let name = format!("{id}-1");
        self.reaches(&id, ApplicationState::Submitted).await;
        if matches!(step, Step::UidCommitted) {
            self.die().await;
        }
        self.drive(&name).await;
        self.reaches(&id, ApplicationState::Running).await;
        let struck = self.proxy.count() + 1;
        match step {
            Step::RunningSeen => self.die().await,
            Step::EndingNoted | Step::Stopping => {
                let fault = if matches!(step, Step::Stopping) {
                    Fault::AfterCreate
                } else {
                    Fault::BeforeCreate
                };
                self.proxy.arm_for(Call::Stop, fault);
                self.cancel(&id).await;
                self.proxy.struck(struck).await;
                self.die().await;
                self.eventually("the driver is told to stop", async || {
                    let driver = self.objects.driver(&name).await.unwrap();
                    driver.metadata.deletion_timestamp.is_some()
                })
                .await;
            }
            Step::EndCommitted => {
                let fault = Fault::BeforeCreate;
                self.proxy.arm_for_name(Call::Release, &name, fault);
            }
            Step::FinalizersGone => {
                let fault = Fault::AfterCreate;
                self.proxy.arm_for_name(Call::Release, &name, fault);
            }
            _ => {}
        }
        let exit_code = match step {
            Step::BetweenAttempts => 137,
            Step::EndingNoted | Step::Stopping => 143,
            _ => 0,
        };
        self.end(&name, exit_code).await;
        match step {
            Step::EndCommitted | Step::FinalizersGone => {
                self.proxy.struck(struck).await;
                // Nothing is let go before its outcome is there to be read.
                let state = self.get(&id).await.state();
                assert_eq!(state, ApplicationState::Succeeded);
                self.die().await;
            }
            Step::BetweenAttempts => {
                self.reaches(&id, ApplicationState::RetryWait).await;
                self.die().await;
                self.reaches(&id, ApplicationState::Submitted).await;
                let second = format!("{id}-2");
                self.drive(&second).await;
                self.reaches(&id, ApplicationState::Running).await;
                self.end(&second, 0).await;
            }
            _ => {}
        }
        let end = if matches!(step, Step::EndingNoted | Step::Stopping) {
            ApplicationState::Cancelled
        } else {
            ApplicationState::Succeeded
        };
        self.reaches(&id, end).await
    }

    /// Cancelled while its create is on its way, it has to be fenced.
    async fn dies_after_a_tombstone(&mut self) -> Application {
        let struck = self.proxy.count() + 1;
        self.proxy.arm(Fault::BeforeCreate);
        let id = self.submit_retrying("fenced").await;
        self.proxy.struck(struck).await;
        self.proxy.arm_for(Call::Tombstone, Fault::AfterCreate);
        self.cancel(&id).await;
        self.proxy.struck(struck + 1).await;
        self.die().await;
        self.reaches(&id, ApplicationState::Cancelled).await
    }

    async fn submit_retrying(&self, key: &str) -> String {
        let retry = RetryPolicy {
            max_attempts: 2,
            categories: vec![ExitCategory::Unknown.into()],
            initial_backoff: Some(prost_types::Duration {
                seconds: 1,
                nanos: 0,
            }),
            ..RetryPolicy::default()
        };
        let change = |spec: &mut ApplicationSpec| spec.retry = Some(retry);
        self.submit_with(key, change).await
    }

    async fn assert_true(&self, application: &Application, witness: &Witness, step: Step) {
        let attempts = &application.attempts;
        let expected = if matches!(step, Step::BetweenAttempts) {
            2
        } else {
            1
        };
        assert_eq!(attempts.len(), expected, "{step:?}: {application:?}");
        for attempt in attempts {
            let name = format!("{}-{}", application.application_id, attempt.number);
            let launched = witness.uids(&name);
            assert!(launched.len() <= 1, "{step:?}: {name} was launched twice");
            assert_eq!(launched.first().cloned().unwrap_or_default(), attempt.uid);
            self.eventually("all is released", async || {
                self.objects.are_released(&name).await
            })
            .await;
        }
        let exit = attempts.last().unwrap().exit.clone().unwrap();
        let expected = match application.state() {
            ApplicationState::Cancelled => ExitCategory::Cancelled,
            _ => ExitCategory::Success,
        };
        assert_eq!(exit.category(), expected, "{step:?}: {exit:?}");
    }
}

async fn dies_at_every_step(database: Database) {
    let mut installation = Installation::start(database).await;
    let witness = installation.objects.witness().await;
    for step in STEPS {
        let application = installation.dies_at(step).await;
        installation.assert_true(&application, &witness, step).await;
    }
}

#[tokio::test]
async fn killed_at_any_later_step_it_goes_on_on_sqlite() {
    dies_at_every_step(Database::Sqlite).await;
}

#[tokio::test]
async fn killed_at_any_later_step_it_goes_on_on_postgres() {
    dies_at_every_step(Database::Postgres).await;
}
