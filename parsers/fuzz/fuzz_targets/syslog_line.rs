//! Any bytes as lines of a syslog file: no panic, and the reassembler gives back every byte of text that it took.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailpulse_parsers::exim;
use mailpulse_parsers::layers::{Mta, Outer};
use mailpulse_parsers::syslog::{Pushed, Reassembler, envelope, split_marker};
use mailpulse_parsers::wrap::unwrap;

fuzz_target!(|data: &[u8]| {
    let mut reassembler = Reassembler::new(3, 64);
    let (mut taken, mut given) = (0, 0);
    for line in data.split(|byte| *byte == b'\n') {
        let outer = Outer::default();
        for mta in [Mta::Exim, Mta::Postfix] {
            let _ = mta.peel(line, &outer, &|tag| tag.len() == 6);
            if let Some(inner) = unwrap(line) {
                let _ = mta.peel(&inner.text, &outer, &|_| true);
            }
        }
        let line = [b"Jun  6 18:55:01 mx1 exim", line].concat();
        let Ok(envelope) = envelope(&line) else { continue };
        let _ = exim::parse_in_syslog(&envelope);
        let newline = split_marker(envelope.rest).map(|(_, _, newline, text)| text.len() + usize::from(newline));
        match reassembler.push(&envelope, ()) {
            Pushed::Whole(text) => assert_eq!(text, envelope.rest),
            Pushed::Lines(lines) => {
                taken += newline.expect("only split lines are kept");
                given += lines.iter().map(|line| line.text.len()).sum::<usize>();
            }
        }
    }
    given += reassembler.finish().iter().map(|line| line.text.len()).sum::<usize>();
    assert_eq!(taken, given);
});
