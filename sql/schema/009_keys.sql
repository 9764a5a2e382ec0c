-- Rows by what a user has of a mail: a queue ID, a Message-ID, or an address. `trace` reads few granules with these indexes, and
-- every one without them. Rows that are there are indexed in the background.
ALTER TABLE {database}.events_log{on_cluster}
    ADD INDEX IF NOT EXISTS by_queue_id queue_id TYPE bloom_filter(0.01) GRANULARITY 2,
    ADD INDEX IF NOT EXISTS by_message_key message_key TYPE bloom_filter(0.01) GRANULARITY 2,
    ADD INDEX IF NOT EXISTS by_sender sender_local TYPE bloom_filter(0.01) GRANULARITY 2,
    ADD INDEX IF NOT EXISTS by_recipient recipient_local TYPE bloom_filter(0.01) GRANULARITY 2;

ALTER TABLE {database}.events_log{on_cluster}
    MATERIALIZE INDEX by_queue_id,
    MATERIALIZE INDEX by_message_key,
    MATERIALIZE INDEX by_sender,
    MATERIALIZE INDEX by_recipient;
