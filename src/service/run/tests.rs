//! Parts that fail in all the ways that there are.

use super::part::PartControl;
use super::supervised::{PartThread, PartWord};
use super::*;
use crate::service::orders::Orders;

/// Fails twice, then runs until it is told to stop.
struct Moody(u32);

impl RunPart for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    fn run(&mut self, mut control: PartControl<'_>) -> Result<()> {
        self.0 += 1;
        match self.0 {
            1 => panic!("a bad day"),
            2 => bail!("no luck"),
            3 => return Ok(()),
            _ => (control.is_well)(),
        }
        let Orders::Supervisor(orders) = &mut control.orders else {
            bail!("orders of a supervisor");
        };
        while orders.blocking_recv() == Some(Told::Reload) {}
        Ok(())
    }
}

#[test]
fn one_that_panics_fails_or_just_ends_is_started_again_until_it_is_told_to_stop() {
    let (says, mut events) = mpsc::unbounded_channel();
    let thread = PartThread::start_hasty(Box::new(Moody(0)), says);
    let mut told = Vec::new();
    while let Some(event) = events.blocking_recv() {
        match event.word {
            PartWord::Failed { why, .. } => told.push(why),
            PartWord::Well => {
                thread.tell(Told::Reload);
                thread.tell(Told::Stop);
            }
            PartWord::Ended => break,
        }
    }
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].contains("a bad day") && told[1] == "no luck", "{told:?}");
    assert!(told[2].contains("without an error"), "{told:?}");
}

#[test]
fn one_that_waits_for_its_next_start_ends_when_it_is_told_to() {
    struct Never;
    impl RunPart for Never {
        fn name(&self) -> &'static str {
            "never"
        }

        fn run(&mut self, _: PartControl<'_>) -> Result<()> {
            bail!("never")
        }
    }
    let (says, mut events) = mpsc::unbounded_channel();
    let thread = PartThread::start(Box::new(Never), 0, says, (ReadingPulse::default(), PART_STOP)).unwrap();
    let first = events.blocking_recv().unwrap();
    assert!(matches!(first.word, PartWord::Failed { pause, .. } if pause >= Duration::from_secs(1)));
    let begin = std::time::Instant::now();
    thread.tell(Told::Stop);
    assert!(matches!(events.blocking_recv().unwrap().word, PartWord::Ended));
    assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
}
