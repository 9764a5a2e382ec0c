(SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider, messages, recipients, attempts, bytes
              FROM rates WHERE step < 3600000 AND ts_ms >= begin_ms AND ts_ms < to_ms
              UNION ALL
              SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider, messages, recipients, attempts, bytes
              FROM rates_by_hour WHERE step >= 3600000 AND ts_ms >= begin_ms AND ts_ms < to_ms)
