//! Whether to ask a server that has failed again and again.

use std::time::Duration;

/// Failures in a row that open the circuit.
const FAILURES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A circuit breaker.
#[derive(Debug, Clone, Default)]
pub struct Circuit {
    failures: u32,
    /// How often it has opened without a success since.
    openings: u32,
    open_until: Option<Duration>,
    probing: bool,
}

/// What a circuit lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// Everything.
    Closed,
    /// Nothing for this long.
    Open(Duration),
    /// One call, to see.
    HalfOpen,
    /// Nothing, until that one call is answered.
    Probing,
}

impl Circuit {
    /// What it lets pass at `now`.
    pub fn state(&self, now: Duration) -> CircuitState {
        match self.open_until {
            None => CircuitState::Closed,
            Some(until) if now < until => CircuitState::Open(until.saturating_sub(now)),
            Some(_) if self.probing => CircuitState::Probing,
            Some(_) => CircuitState::HalfOpen,
        }
    }

    /// Whether it is not closed.
    pub fn is_open(&self) -> bool {
        self.open_until.is_some()
    }

    /// Begins a call, if one may pass.
    pub fn enter(&mut self, now: Duration) -> bool {
        match self.state(now) {
            CircuitState::Closed => true,
            CircuitState::HalfOpen => {
                self.probing = true;
                true
            }
            CircuitState::Open(_) | CircuitState::Probing => false,
        }
    }

    /// The server answered.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The server did not answer, or failed. Says whether the circuit opened by that.
    pub fn failed(&mut self, now: Duration) -> bool {
        self.failures = self.failures.saturating_add(1);
        let probed = std::mem::take(&mut self.probing);
        let was_open = self.is_open();
        if probed || (!was_open && self.failures >= FAILURES) {
            let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.openings));
            self.openings = self.openings.saturating_add(1);
            self.open_until = Some(now + pause.min(LONGEST_PAUSE));
        }
        !was_open && self.is_open()
    }

    /// A call that was begun was never made.
    pub fn abandoned(&mut self) {
        self.probing = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn opened() -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..FAILURES {
            assert!(circuit.enter(Duration::ZERO));
            circuit.failed(Duration::ZERO);
        }
        circuit
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let mut circuit = Circuit::default();
        for _ in 0..10 {
            for _ in 1..FAILURES {
                assert!(!circuit.failed(Duration::ZERO));
            }
            circuit.succeeded();
        }
        assert_eq!(circuit.state(Duration::ZERO), CircuitState::Closed);
        let opened = opened();
        assert_eq!(opened.state(seconds(1)), CircuitState::Open(seconds(1)));
    }

    #[test]
    fn one_call_finds_out_whether_it_may_close() {
        let mut circuit = opened();
        assert!(!circuit.enter(seconds(1)));
        assert!(circuit.enter(seconds(2)));
        assert!(!circuit.enter(seconds(2)));
        circuit.failed(seconds(3));
        assert_eq!(circuit.state(seconds(3)), CircuitState::Open(seconds(4)));
        assert!(circuit.enter(seconds(7)));
        circuit.succeeded();
        assert_eq!(circuit.state(seconds(7)), CircuitState::Closed);
    }

    #[test]
    fn a_probe_that_was_never_made_leaves_room_for_another() {
        let mut circuit = opened();
        assert!(circuit.enter(seconds(2)));
        circuit.abandoned();
        assert!(circuit.enter(seconds(2)));
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Enter,
        Succeed,
        Fail,
        Abandon,
        Pause(u64),
    }

    proptest! {
        #[test]
        fn it_never_stays_shut_for_ever_and_passes_one_probe_at_a_time(steps in prop::collection::vec(
            prop_oneof![
                Just(Step::Enter), Just(Step::Succeed), Just(Step::Fail), Just(Step::Abandon),
                (0_u64..40).prop_map(Step::Pause),
            ],
            0..200,
        )) {
            let mut circuit = Circuit::default();
            let mut now = Duration::ZERO;
            for step in steps {
                match step {
                    Step::Enter => {
                        let before = circuit.state(now);
                        let entered = circuit.enter(now);
                        prop_assert_eq!(entered, matches!(before, CircuitState::Closed | CircuitState::HalfOpen));
                        prop_assert!(!entered || !matches!(circuit.state(now), CircuitState::HalfOpen));
                    }
                    Step::Succeed => circuit.succeeded(),
                    Step::Fail => { circuit.failed(now); }
                    Step::Abandon => circuit.abandoned(),
                    Step::Pause(pause) => now += seconds(pause),
                }
                if let CircuitState::Open(pause) = circuit.state(now) {
                    prop_assert!(pause <= LONGEST_PAUSE);
                }
            }
            circuit.abandoned();
            prop_assert!(circuit.enter(now + LONGEST_PAUSE));
        }
    }
}
