-- Whose mail it is, where a recipient's copy goes, and who runs the receiving side: columns of events, and parts of the key of
-- rates. Rows of hosts of an earlier version have none of them.
ALTER TABLE {database}.events_log{on_cluster}
    ADD COLUMN IF NOT EXISTS origin LowCardinality(String) DEFAULT '' AFTER provider_code,
    ADD COLUMN IF NOT EXISTS direction LowCardinality(String) DEFAULT '' AFTER origin,
    ADD COLUMN IF NOT EXISTS provider LowCardinality(String) DEFAULT '' AFTER direction;

-- New columns become part of a key only in the statement that adds them, and without a default value.
ALTER TABLE {database}.rates_minute{on_cluster}
    ADD COLUMN IF NOT EXISTS origin LowCardinality(String) AFTER first_hop,
    ADD COLUMN IF NOT EXISTS direction LowCardinality(String) AFTER origin,
    ADD COLUMN IF NOT EXISTS provider LowCardinality(String) AFTER direction,
    MODIFY ORDER BY (ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider);

ALTER TABLE {database}.rates_hour{on_cluster}
    ADD COLUMN IF NOT EXISTS provider LowCardinality(String) AFTER direction,
    MODIFY ORDER BY (ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider);

ALTER TABLE {database}.rates_day{on_cluster}
    ADD COLUMN IF NOT EXISTS provider LowCardinality(String) AFTER direction,
    MODIFY ORDER BY (ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider);

-- The tables in front of the shards, where there are some.
ALTER TABLE {database}.{read_from}events_log{on_cluster}
    ADD COLUMN IF NOT EXISTS origin LowCardinality(String) DEFAULT '' AFTER provider_code,
    ADD COLUMN IF NOT EXISTS direction LowCardinality(String) DEFAULT '' AFTER origin,
    ADD COLUMN IF NOT EXISTS provider LowCardinality(String) DEFAULT '' AFTER direction;

ALTER TABLE {database}.{read_from}rates_minute{on_cluster}
    ADD COLUMN IF NOT EXISTS origin LowCardinality(String) AFTER first_hop,
    ADD COLUMN IF NOT EXISTS direction LowCardinality(String) AFTER origin,
    ADD COLUMN IF NOT EXISTS provider LowCardinality(String) AFTER direction;

ALTER TABLE {database}.{read_from}rates_hour{on_cluster}
    ADD COLUMN IF NOT EXISTS provider LowCardinality(String) AFTER direction;

ALTER TABLE {database}.{read_from}rates_day{on_cluster}
    ADD COLUMN IF NOT EXISTS provider LowCardinality(String) AFTER direction;

-- Where the server was cut off below.
RENAME TABLE IF EXISTS {database}.rates_minute_of_events_again TO {database}.rates_minute_of_events{on_cluster};

RENAME TABLE IF EXISTS {database}.rates_hour_of_events_again TO {database}.rates_hour_of_events{on_cluster};

RENAME TABLE IF EXISTS {database}.rates_day_of_events_again TO {database}.rates_day_of_events{on_cluster};

-- Providers that are domains are one in rates, so that there are few.
ALTER TABLE {database}.rates_minute_of_events{on_cluster} MODIFY QUERY
SELECT minute AS ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider,
       sum(m) AS messages, sum(r) AS recipients, sum(a) AS attempts, sum(b) AS bytes, sum(n) AS events
FROM (SELECT ts_ms - ts_ms % 60000 AS minute, service, hostgroup, relay, kind, destination, first_hop, origin, direction,
             if(position(e.provider, '.') > 0, 'other', e.provider) AS provider,
             sign * messages AS m, sign * recipients AS r,
             sign * (kind IN ('delivered', 'deferred', 'bounced', 'expired')) AS a, sign * ifNull(bytes, 0) AS b,
             toInt64(sign) AS n
      FROM {database}.events_log AS e)
GROUP BY minute, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider;

ALTER TABLE {database}.rates_hour_of_events{on_cluster} MODIFY QUERY
SELECT start AS ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider,
       sum(m) AS messages, sum(r) AS recipients, sum(a) AS attempts, sum(b) AS bytes, sum(n) AS events
FROM (SELECT ts_ms - ts_ms % 3600000 AS start, service, hostgroup, relay, kind, destination, first_hop, origin, direction,
             if(position(e.provider, '.') > 0, 'other', e.provider) AS provider,
             sign * messages AS m, sign * recipients AS r,
             sign * (kind IN ('delivered', 'deferred', 'bounced', 'expired')) AS a, sign * ifNull(bytes, 0) AS b,
             toInt64(sign) AS n
      FROM {database}.events_log AS e)
GROUP BY start, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider;

ALTER TABLE {database}.rates_day_of_events{on_cluster} MODIFY QUERY
SELECT start AS ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider,
       sum(m) AS messages, sum(r) AS recipients, sum(a) AS attempts, sum(b) AS bytes, sum(n) AS events
FROM (SELECT ts_ms - ts_ms % 86400000 AS start, service, hostgroup, relay, kind, destination, first_hop, origin, direction,
             if(position(e.provider, '.') > 0, 'other', e.provider) AS provider,
             sign * messages AS m, sign * recipients AS r,
             sign * (kind IN ('delivered', 'deferred', 'bounced', 'expired')) AS a, sign * ifNull(bytes, 0) AS b,
             toInt64(sign) AS n
      FROM {database}.events_log AS e)
GROUP BY start, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider;

-- Until a server restarts, it tells batches of such a view apart by other marks than afterwards, and a batch that is repeated
-- after the restart would count twice. A new name gives the view its lasting marks.
RENAME TABLE IF EXISTS {database}.rates_minute_of_events TO {database}.rates_minute_of_events_again,
    {database}.rates_minute_of_events_again TO {database}.rates_minute_of_events{on_cluster};

RENAME TABLE IF EXISTS {database}.rates_hour_of_events TO {database}.rates_hour_of_events_again,
    {database}.rates_hour_of_events_again TO {database}.rates_hour_of_events{on_cluster};

RENAME TABLE IF EXISTS {database}.rates_day_of_events TO {database}.rates_day_of_events_again,
    {database}.rates_day_of_events_again TO {database}.rates_day_of_events{on_cluster};

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
       provider_code, origin, direction, provider, log_offset
FROM {database}.{read_from}events_log AS e FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW {database}.rates{on_cluster} AS
SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider, m AS messages,
       r AS recipients, a AS attempts, b AS bytes
FROM (SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider,
             sum(messages) AS m, sum(recipients) AS r, sum(attempts) AS a, sum(bytes) AS b, sum(events) AS e
      FROM {database}.{read_from}rates_minute
      GROUP BY ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider)
WHERE e != 0;

CREATE OR REPLACE VIEW {database}.rates_by_hour{on_cluster} AS
SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider, m AS messages,
       r AS recipients, a AS attempts, b AS bytes
FROM (SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider,
             sum(messages) AS m, sum(recipients) AS r, sum(attempts) AS a, sum(bytes) AS b, sum(events) AS e
      FROM {database}.{read_from}rates_hour
      GROUP BY ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider)
WHERE e != 0;

CREATE OR REPLACE VIEW {database}.rates_by_day{on_cluster} AS
SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider, m AS messages,
       r AS recipients, a AS attempts, b AS bytes
FROM (SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider,
             sum(messages) AS m, sum(recipients) AS r, sum(attempts) AS a, sum(bytes) AS b, sum(events) AS e
      FROM {database}.{read_from}rates_day
      GROUP BY ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider)
WHERE e != 0;
