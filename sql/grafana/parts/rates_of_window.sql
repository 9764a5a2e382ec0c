(SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider, messages, recipients, attempts, bytes
      FROM rates WHERE ts_ms >= from_ms AND ts_ms < whole_from_ms OR ts_ms >= whole_to_ms AND ts_ms < to_ms
      UNION ALL
      SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider, messages, recipients, attempts, bytes
      FROM rates_by_hour WHERE ts_ms >= whole_from_ms AND ts_ms < whole_to_ms)
