//! The bounds of reading.

/// Every bound of reading files. The configuration may state them; these are the defaults.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Raw bytes read for one chunk.
    pub chunk_bytes: usize,
    /// What is kept of a line.
    pub line_bytes_max: usize,
    /// What an archive may unpack to.
    pub content_bytes_max: u64,
    /// Output to input of an archive. NUL-filled logs reach 1 000 in gzip, repeated lines 100.
    pub ratio_max: u64,
    /// Below this much output the ratio is not looked at.
    pub ratio_from_bytes: u64,
    /// What a decoder may allocate for its dictionary or window.
    pub decoder_memory_bytes_max: u64,
    /// How deep folders are followed.
    pub depth_max: usize,
    /// How many files and folders one scan looks at.
    pub entries_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            chunk_bytes: 1 << 20,
            line_bytes_max: 64 << 10,
            content_bytes_max: 64 << 30,
            ratio_max: 2000,
            ratio_from_bytes: 1 << 30,
            decoder_memory_bytes_max: 128 << 20,
            depth_max: 16,
            entries_max: 200_000,
        }
    }
}
