//! Lines and what became of them.

/// Lines of a source and what became of them: `lines = events + ignored + unparsed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Complete lines.
    pub lines: u64,
    /// Lines that gave an event.
    pub events: u64,
    /// Lines that were understood and tell nothing about mail, or nothing new.
    pub ignored: u64,
    /// Of these, lines that another program than the log's own wrote.
    pub foreign: u64,
    /// Of these, lines whose event another line had given: the logging wrote them twice.
    pub duplicates: u64,
    /// Lines that did not parse.
    pub unparsed: u64,
    /// Bytes of content.
    pub bytes: u64,
}

impl Counts {
    /// Adds other counts.
    pub fn add(&mut self, other: &Counts) {
        self.lines += other.lines;
        self.events += other.events;
        self.ignored += other.ignored;
        self.foreign += other.foreign;
        self.duplicates += other.duplicates;
        self.unparsed += other.unparsed;
        self.bytes += other.bytes;
    }
}
