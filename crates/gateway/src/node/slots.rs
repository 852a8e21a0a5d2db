//! How much of a node one country may take.

use exchange::{Code, Refusal};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The exchanges with one country that are under way at once. A slow country delays its own
/// exchanges only: so many run, some more wait with nothing but their message in memory, and those
/// beyond are refused at once, as each would keep a connection that other countries need.
pub struct Slots {
    /// We ask it.
    pub asking: Line,
    /// It asks us.
    pub answering: Line,
}

impl Slots {
    /// More than the cores of a node can work on; each holds its documents in memory.
    pub const EACH: usize = 64;

    /// So many in each direction.
    pub fn new(each: usize) -> Self {
        // who asked holds a place of its own meanwhile: a quarter, so that care finds one there
        Self { asking: Line::new(each, each), answering: Line::new(each, each.div_ceil(4)) }
    }
}

impl Default for Slots {
    fn default() -> Self {
        Self::new(Self::EACH)
    }
}

/// Places, the line before them, and the room beside them.
pub struct Line {
    places: Semaphore,
    waiting: Semaphore,
    aside: Semaphore,
}

/// A place in a line; given back when dropped.
pub struct Place<'l> {
    line: &'l Line,
    held: SemaphorePermit<'l>,
}

impl Place<'_> {
    /// Leaves the place to others, for who waits for something that is not the other country; only so
    /// many may.
    pub fn step_aside(&mut self) -> Result<(), Refusal> {
        let aside = self.line.aside.try_acquire().map_err(|_| full())?;
        drop(std::mem::replace(&mut self.held, aside));
        Ok(())
    }
}

impl Line {
    fn new(places: usize, aside: usize) -> Self {
        let waiting = places.saturating_mul(WAITING).min(Semaphore::MAX_PERMITS);
        let semaphore = Semaphore::new;
        Self { places: semaphore(places), waiting: semaphore(waiting), aside: semaphore(aside) }
    }

    /// A place, at once or in turn.
    pub async fn place(&self) -> Result<Place<'_>, Refusal> {
        let held = if let Ok(held) = self.places.try_acquire() {
            held
        } else {
            let _turn = self.waiting.try_acquire().map_err(|_| full())?;
            self.places.acquire().await.map_err(|_| full())?
        };
        Ok(Place { line: self, held })
    }
}

fn full() -> Refusal {
    let hint = "too many exchanges with that country wait already; try again later";
    Refusal::new(Code::ErrorGeneric, hint).with_detail("line is full")
}

/// Requests that wait for each place: with 64 of them 512, a quarter of a listener's connections.
const WAITING: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn a_country_that_never_answers_does_not_take_every_connection() {
        let line = Line::new(1, 1);
        let mut context = Context::from_waker(Waker::noop());
        let mut places: Vec<_> = (0..=WAITING).map(|_| Box::pin(line.place())).collect();
        let mut first = None;
        for place in &mut places {
            match place.as_mut().poll(&mut context) {
                Poll::Ready(taken) => first = Some(taken.unwrap()),
                Poll::Pending => {}
            }
        }
        let mut poll = |place: std::pin::Pin<&mut dyn Future<Output = _>>| place.poll(&mut context);
        assert!(first.is_some(), "one runs");
        let mut beyond = Box::pin(line.place());
        assert!(matches!(poll(beyond.as_mut()), Poll::Ready(Err(_))), "who would wait too long");
        places.pop();
        let mut later = Box::pin(line.place());
        assert!(poll(later.as_mut()).is_pending(), "who gave up made room in the line");
        drop(first);
        assert!(matches!(poll(places[1].as_mut()), Poll::Ready(Ok(_))), "the next in turn");
    }

    #[tokio::test]
    async fn who_waits_for_the_ledger_leaves_the_place_to_care() {
        let line = Line::new(1, 1);
        let mut strict = line.place().await.unwrap();
        assert!(line.places.try_acquire().is_err(), "the only place");
        strict.step_aside().unwrap();
        let mut second = line.place().await.unwrap();
        assert!(second.step_aside().is_err(), "not more than so many");
        assert!(line.places.try_acquire().is_err(), "and it keeps its place");
        drop(strict);
        second.step_aside().unwrap();
        drop(second);
        assert_eq!((line.places.available_permits(), line.aside.available_permits()), (1, 1));
    }
}
