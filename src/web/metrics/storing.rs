//! The store, and what waits to be sent.

use super::exposition::MetricFamilies;
use super::store_numbers::StoreNumbers;

pub(super) fn of_store(numbers: &StoreNumbers, families: &mut MetricFamilies) {
    if let Some(bytes) = numbers.bytes {
        families
            .gauge("mailpulse_store_size_bytes", "Size of the segments.")
            .set([], bytes as f64);
    }
    if let Some((payloads, bytes)) = numbers.outbox {
        families
            .gauge(
                "mailpulse_outbox_payloads",
                "Payloads that wait to be sent to ClickHouse.",
            )
            .set([], payloads as f64);
        families
            .gauge("mailpulse_outbox_size_bytes", "Their size.")
            .set([], bytes as f64);
    }
}
