-- The words of replies, where `[privacy] replies = "keep"`.
ALTER TABLE {database}.events_log{on_cluster}
    ADD COLUMN IF NOT EXISTS reply String DEFAULT '' AFTER provider;

-- The table in front of the shards, where there is one.
ALTER TABLE {database}.{read_from}events_log{on_cluster}
    ADD COLUMN IF NOT EXISTS reply String DEFAULT '' AFTER provider;

CREATE OR REPLACE VIEW {database}.events{on_cluster} AS
SELECT concat(log, '-', toString(log_offset)) AS event_id, ts_ms AS ts, ts_ms, host, source, kind, service, hostgroup,
       relay, first_hop, destination, queue_id, message_key, client, client_ip,
       if(sender_domain = '', sender_local, concat(sender_local, '@', sender_domain)) AS sender, sender_local,
       sender_domain,
       if(recipient_domain = '', recipient_local, concat(recipient_local, '@', recipient_domain)) AS recipient,
       recipient_local, recipient_domain, remote_host, remote_ip, bytes, messages, recipients, queue_ms, delivery_ms,
       smtp_code, enhanced_code,
       transform(toString(e.reason), ['spam', 'size', 'auth', 'routing'],
                 ['content', 'message_too_big', 'smtp_auth', 'no_such_user'], toString(e.reason)) AS reason,
       provider_code, origin, direction, provider, reply, log_offset
FROM {database}.{read_from}events_log AS e FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
