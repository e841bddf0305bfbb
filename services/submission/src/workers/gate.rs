//! What lets launches into one cluster: its limits, its circuit breaker, how much is in it, and how
//! many calls may be under way. One for each cluster in each process.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::domain::{
    fleet::ClusterHealth,
    flow::{Circuit, CircuitState, Concurrency, Full, Room, TokenBucket},
    rules::ClusterLimits,
};

/// A launch whose turn is later than this is given back, so that others are not kept waiting.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How soon to ask again when nobody can say.
const PAUSE: Duration = Duration::from_secs(2);
/// When a server asks to slow down without saying for how long.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// Objects that the operator may not have looked at, when the cluster does not say.
const MOST_BACKLOG: u32 = 1000;

/// A cluster's gate.
#[derive(Debug)]
pub struct Gate {
    beginning: Instant,
    state: Mutex<State>,
    left: Notify,
}

#[derive(Debug)]
struct State {
    bucket: TokenBucket,
    circuit: Circuit,
    concurrency: Concurrency,
    room: Room,
    unreachable: bool,
    backlog_counted_at: Option<jiff::Timestamp>,
}

/// Why a launch must wait, and how soon to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hindrance {
    /// What is in the way.
    pub obstacle: Obstacle,
    /// How soon to ask again.
    pub pause: Duration,
}

/// What is in the way of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// The limit on creates per second, or a server that asked to slow down.
    Rate,
    /// Too many failures in a row.
    Circuit,
    /// As many attempts as may be are live.
    LiveAttempts,
    /// The operator has too much to look at.
    OperatorBacklog,
    /// The API server does not answer whoever watches it.
    Unreachable,
}

impl Obstacle {
    /// Its name, in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Circuit => "circuit",
            Self::LiveAttempts => "live_attempts",
            Self::OperatorBacklog => "operator_backlog",
            Self::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rate => "launches as fast as it may",
            Self::Circuit => "failed too often in a row",
            Self::LiveAttempts => "has as many live attempts as it may",
            Self::OperatorBacklog => "has an operator that does not keep up",
            Self::Unreachable => "does not answer",
        })
    }
}

impl Gate {
    /// An open gate for at most so many calls at a time.
    pub fn new(most_calls: u32) -> Self {
        let mut room = Room::default();
        room.set_limits(0, MOST_BACKLOG);
        Self {
            beginning: Instant::now(),
            state: Mutex::new(State {
                bucket: TokenBucket::default(),
                circuit: Circuit::default(),
                concurrency: Concurrency::new(most_calls),
                room,
                unreachable: false,
                backlog_counted_at: None,
            }),
            left: Notify::new(),
        }
    }

    /// Sets the limits, of which each of so many workers has its share.
    pub fn set_limits(&self, limits: &ClusterLimits, workers: u32) {
        let workers = workers.max(1);
        let mut state = self.lock();
        let per_second = f64::from(limits.launches_per_second) / f64::from(workers);
        let burst = match limits.launch_burst {
            0 => 0,
            burst => (burst / workers).max(1),
        };
        state.bucket.set_rate(per_second, burst);
        let most_backlog = match limits.max_operator_backlog {
            0 => MOST_BACKLOG,
            most => most,
        };
        state
            .room
            .set_limits(limits.max_live_attempts, most_backlog);
    }

    /// What was placed until now, for [`Gate::count`].
    pub fn mark(&self) -> u32 {
        self.lock().room.mark()
    }

    /// Takes in what was counted since the mark.
    pub fn count(&self, live: u32, mark: u32, health: Option<&ClusterHealth>) {
        let mut state = self.lock();
        state.room.counted_live(live, mark);
        state.unreachable = health.is_some_and(|health| !health.reachable);
        if let Some(health) = health
            && state.backlog_counted_at != Some(health.observe_time)
        {
            state.backlog_counted_at = Some(health.observe_time);
            state.room.counted_backlog(health.operator_backlog);
        }
    }

    /// How many attempts are live, as far as it was counted.
    pub fn live(&self) -> u32 {
        self.lock().room.live()
    }

    /// Whether the circuit breaker is open.
    pub fn is_open_circuit(&self) -> bool {
        self.lock().circuit.is_open()
    }

    /// Why nothing new may be placed in the cluster now; `None` when it may.
    pub fn hindrance(&self) -> Option<Hindrance> {
        let now = self.now();
        let state = self.lock();
        let later = |obstacle| {
            Some(Hindrance {
                obstacle,
                pause: PAUSE,
            })
        };
        match state.room.full() {
            Some(Full::Live(_)) => return later(Obstacle::LiveAttempts),
            Some(Full::Backlog(_)) => return later(Obstacle::OperatorBacklog),
            None => {}
        }
        if state.unreachable {
            return later(Obstacle::Unreachable);
        }
        state.hindrance(now)
    }

    /// Lets an attempt in that is to be placed: it counts as live.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn place(self: &Arc<Self>) -> Result<Pass, Hindrance> {
        if let Some(hindrance) = self.hindrance() {
            return Err(hindrance);
        }
        let pass = self.enter()?;
        self.lock().room.placed();
        Ok(pass)
    }

    /// Lets a create in, of an attempt that was placed before.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn enter(self: &Arc<Self>) -> Result<Pass, Hindrance> {
        let now = self.now();
        let mut state = self.lock();
        if let Some(hindrance) = state.hindrance(now) {
            return Err(hindrance);
        }
        if !state.circuit.enter(now) {
            return Err(Hindrance {
                obstacle: Obstacle::Circuit,
                pause: PAUSE,
            });
        }
        let wait = state.bucket.take(now, LONGEST_WAIT).unwrap_or(LONGEST_WAIT);
        Ok(Pass {
            gate: Arc::clone(self),
            not_before: Instant::now() + wait,
            wait,
            is_settled: false,
        })
    }

    /// Takes a turn, or says for how long the server asked to be left alone; zero when only other
    /// calls are in the way.
    fn try_turn(&self) -> Result<(), Duration> {
        let now = self.now();
        let mut state = self.lock();
        let held = state.bucket.held(now);
        if held.is_zero() && state.concurrency.enter() {
            Ok(())
        } else {
            Err(held)
        }
    }

    fn now(&self) -> Duration {
        self.beginning.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hindrance(&self, now: Duration) -> Option<Hindrance> {
        let pause = match self.circuit.state(now) {
            CircuitState::Closed | CircuitState::HalfOpen => None,
            CircuitState::Open(pause) => Some(pause),
            CircuitState::Probing => Some(PAUSE),
        };
        if let Some(pause) = pause {
            let obstacle = Obstacle::Circuit;
            return Some(Hindrance { obstacle, pause });
        }
        let pause = self.bucket.wait(now);
        let obstacle = Obstacle::Rate;
        (pause > LONGEST_WAIT).then_some(Hindrance { obstacle, pause })
    }
}

/// Leave to create one object. Dropped without an answer, it counts neither way.
#[derive(Debug)]
pub struct Pass {
    gate: Arc<Gate>,
    not_before: Instant,
    wait: Duration,
    is_settled: bool,
}

impl Pass {
    /// How long the limit on creates per second makes it wait.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Waits for its turn. What the server asked for meanwhile counts, too.
    pub async fn turn(self) -> Turn {
        tokio::time::sleep_until(self.not_before).await;
        loop {
            let left = self.gate.left.notified();
            match self.gate.try_turn() {
                Ok(()) => {
                    // There may be room for more than one.
                    self.gate.left.notify_one();
                    break;
                }
                Err(Duration::ZERO) => left.await,
                Err(held) => tokio::time::sleep(held).await,
            }
        }
        Turn {
            pass: self,
            began: Instant::now(),
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.is_settled {
            self.gate.lock().circuit.abandoned();
        }
    }
}

/// A call that is under way.
#[derive(Debug)]
pub struct Turn {
    pass: Pass,
    began: Instant,
}

impl Turn {
    /// The server answered, whatever it said.
    pub fn answered(mut self) {
        let now = self.pass.gate.now();
        let took = self.began.elapsed();
        self.pass.is_settled = true;
        let mut state = self.pass.gate.lock();
        state.circuit.succeeded();
        state.concurrency.answered(now, took);
    }

    /// The server asked to slow down.
    pub fn busy(mut self, retry_after: Option<Duration>) {
        let now = self.pass.gate.now();
        self.pass.is_settled = true;
        let mut state = self.pass.gate.lock();
        state.circuit.succeeded();
        state.concurrency.overloaded(now);
        state
            .bucket
            .hold_until(now + retry_after.unwrap_or(BUSY_PAUSE));
    }

    /// The server did not answer, or failed. Says whether the circuit opened by that.
    pub fn failed(mut self) -> bool {
        let now = self.pass.gate.now();
        self.pass.is_settled = true;
        let mut state = self.pass.gate.lock();
        state.concurrency.overloaded(now);
        state.circuit.failed(now)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.pass.gate.lock().concurrency.leave();
        self.pass.gate.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(launches_per_second: u32, launch_burst: u32) -> ClusterLimits {
        ClusterLimits {
            launches_per_second,
            launch_burst,
            ..ClusterLimits::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_shared_among_workers() {
        let gate = Arc::new(Gate::new(16));
        gate.set_limits(&limits(30, 0), 3);
        let begin = Instant::now();
        let mut launched = 0;
        while begin.elapsed() < Duration::from_secs(5) {
            match gate.enter() {
                Ok(pass) => {
                    pass.turn().await.answered();
                    launched += 1;
                }
                Err(hindrance) => tokio::time::sleep(hindrance.pause).await,
            }
        }
        // Ten a second, and the burst of the first.
        assert!((50..=62).contains(&launched), "{launched}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_server_asks_for_holds_everything_back() {
        let gate = Arc::new(Gate::new(16));
        let turn = gate.enter().unwrap().turn().await;
        turn.busy(Some(Duration::from_secs(7)));
        let hindrance = gate.hindrance().unwrap();
        assert_eq!(hindrance.obstacle, Obstacle::Rate);
        assert!(hindrance.pause > Duration::from_secs(6), "{hindrance:?}");
        tokio::time::sleep(Duration::from_secs(7)).await;
        assert_eq!(gate.hindrance(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_turn_leaves_a_busy_server_alone_too() {
        let gate = Arc::new(Gate::new(1));
        let first = gate.enter().unwrap().turn().await;
        let second = gate.enter().unwrap().turn();
        let began = Instant::now();
        first.busy(Some(Duration::from_secs(7)));
        second.await.answered();
        assert_eq!(began.elapsed(), Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_shut_it_and_one_success_opens_it() {
        let gate = Arc::new(Gate::new(16));
        let mut opened = Vec::new();
        for _ in 0..5 {
            opened.push(gate.enter().unwrap().turn().await.failed());
        }
        assert_eq!(opened, [false, false, false, false, true]);
        let hindrance = gate.enter().unwrap_err();
        assert_eq!(hindrance.obstacle, Obstacle::Circuit);
        tokio::time::sleep(hindrance.pause).await;
        let probe = gate.enter().unwrap();
        assert_eq!(gate.enter().unwrap_err().obstacle, Obstacle::Circuit);
        probe.turn().await.answered();
        assert_eq!(gate.hindrance(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_launch_that_was_given_back_leaves_the_probe_to_another() {
        let gate = Arc::new(Gate::new(1));
        for _ in 0..5 {
            gate.enter().unwrap().turn().await.failed();
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        drop(gate.enter().unwrap());
        drop(gate.enter().unwrap().turn().await);
        gate.enter().unwrap().turn().await.answered();
        assert!(!gate.is_open_circuit());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_wait_for_one_another() {
        let gate = Arc::new(Gate::new(1));
        let first = gate.enter().unwrap().turn().await;
        let second = gate.enter().unwrap().turn();
        tokio::pin!(second);
        let patience = Duration::from_secs(1);
        assert!(tokio::time::timeout(patience, &mut second).await.is_err());
        first.answered();
        assert!(tokio::time::timeout(patience, &mut second).await.is_ok());
    }

    #[test]
    fn a_cluster_that_is_full_takes_nothing_new_but_goes_on_with_what_it_has() {
        let gate = Arc::new(Gate::new(16));
        let limits = ClusterLimits {
            max_live_attempts: 2,
            ..ClusterLimits::default()
        };
        gate.set_limits(&limits, 1);
        gate.count(1, gate.mark(), None);
        drop(gate.place().unwrap());
        assert_eq!(gate.place().unwrap_err().obstacle, Obstacle::LiveAttempts);
        assert!(gate.enter().is_ok());
    }
}
