//! Rows in memory, column by column.

use crate::model::event::Slot;

/// The missing number.
pub const NONE: u64 = u64::MAX;

/// Rows that wait before they go into the columns together. A power of two.
const FRESH: usize = 256;

/// The columns: what holds one value a row, written once.
macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// Rows, column by column: a column of a segment is made of one of these without copying where the batch lies
        /// within one day. Numbers that may be missing use [`NONE`].
        #[derive(Debug, Default)]
        pub struct BatchRows {
            $($(#[$doc])* pub $name: Vec<$type>,)*
        }

        /// One of them.
        pub(super) struct BatchRow {
            $(pub $name: $type,)*
        }

        /// BatchRows on their way into [`BatchRows`]. A push to each of the columns would ask each time whether there is room:
        /// here it is asked once.
        #[derive(Debug)]
        pub(super) struct Fresh {
            len: usize,
            $($name: [$type; FRESH],)*
        }

        impl Default for Fresh {
            fn default() -> Self {
                Fresh { len: 0, $($name: [0; FRESH],)* }
            }
        }

        impl BatchRows {
            /// Bytes of a row.
            pub(super) const ROW_BYTES: usize = 0 $(+ size_of::<$type>())*;

            /// Makes room: a column that grows by doubling is copied, and leaves memory behind that was touched for
            /// nothing.
            pub(super) fn reserve(&mut self, rows: usize) {
                $(reserve(&mut self.$name, rows);)*
            }

            pub(super) fn clear(&mut self) {
                $(self.$name.clear();)*
            }
        }

        impl Fresh {
            /// Adds a row; true if there is no room for another.
            #[inline]
            pub(super) fn put(&mut self, row: BatchRow) -> bool {
                let at = self.len % FRESH;
                $(self.$name[at] = row.$name;)*
                self.len = at + 1;
                self.len == FRESH
            }

            /// Moves all rows to the end of the others.
            pub(super) fn move_to(&mut self, rows: &mut BatchRows) {
                let len = std::mem::take(&mut self.len);
                $(rows.$name.extend_from_slice(&self.$name[..len]);)*
            }
        }
    };
}

columns! {
    /// UTC milliseconds.
    ts_ms: i64,
    /// Offset of the line in its log.
    offset: i64,
    /// Message.
    slot: Slot,
    /// Log, by number.
    log: u32,
    /// Code of `recipient_domain`.
    recipient_domain: u32,
    /// Code of the next hop: name, NUL, address.
    remote: u32,
    /// Recipients counted.
    recipients: u32,
    /// Size in bytes.
    bytes: u64,
    /// Milliseconds in the queue.
    queue_ms: u64,
    /// Milliseconds of the delivery.
    delivery_ms: u64,
    /// Code of SMTP code, enhanced code and reason.
    reply: u32,
    /// Code of the kind.
    kind: u8,
    /// Code of the destination; 0 is none.
    destination: u8,
    /// Code of where the copy goes ([`crate::model::direction::Reach`]); 0 is none.
    reach: u8,
    /// 1 when the event counts its message.
    messages: u8,
    /// Bytes of `recipient_local` in the arena.
    local_len: u32,
}

impl BatchRows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ts_ms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ts_ms.is_empty()
    }
}

impl Fresh {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }
}

/// What is empty needs no copy of nothing.
fn reserve<T>(column: &mut Vec<T>, rows: usize) {
    if column.is_empty() && column.capacity() < rows {
        *column = Vec::with_capacity(rows);
    }
    column.reserve(rows);
}
